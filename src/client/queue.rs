//! Many prompts, answered side by side, with the answers taken as they finish or in order.
//!
//! Promises: no more than `capacity` prompts are submitted whose answers have not been taken, so
//! memory is bounded and whoever submits too fast waits (back-pressure). Dropping the results gives
//! up what is under way.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::Invoke;
use super::answer::Answer;
use super::error::InvokeError;
use super::prompt::Prompt;

/// The order in which answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As prompts were submitted.
    Submitted,
    /// As answers finish.
    Finished,
}

/// The end of a queue into which prompts go. Clones share it.
#[derive(Clone, Debug)]
pub struct Submitter<C> {
    client: C,
    order: Order,
    next: Arc<Mutex<u64>>,
    room: Arc<Semaphore>,
    results: mpsc::Sender<Slot>,
}

/// The end of a queue from which answers are taken.
#[derive(Debug)]
pub struct Results {
    results: mpsc::Receiver<Slot>,
}

type Answered = Result<Answer, InvokeError>;

/// An answer, or where one will be.
#[derive(Debug)]
struct Slot {
    number: u64,
    answer: Pending,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Pending {
    Done(Box<Answered>),
    Awaited(oneshot::Receiver<Answered>),
}

/// A queue before `client` with room for `capacity` prompts, at least one.
#[must_use]
pub fn queue<C: Invoke>(client: C, capacity: usize, order: Order) -> (Submitter<C>, Results) {
    let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
    // Whatever is sent has room already, so this is never full.
    let (sender, receiver) = mpsc::channel(capacity);
    let submitter = Submitter {
        client,
        order,
        next: Arc::default(),
        room: Arc::new(Semaphore::new(capacity)),
        results: sender,
    };
    (submitter, Results { results: receiver })
}

impl<C: Invoke> Submitter<C> {
    /// Submits a prompt when there is room, and returns its number, counted from 0. None if nobody
    /// takes answers any more.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn submit(&self, prompt: Prompt) -> Option<u64> {
        let room = tokio::select! {
            biased;
            () = self.results.closed() => return None,
            room = Arc::clone(&self.room).acquire_owned() => room.ok()?,
        };
        let client = self.client.clone();
        match self.order {
            Order::Submitted => {
                let (done, awaited) = oneshot::channel();
                let number = self.place(|number| Slot {
                    number,
                    answer: Pending::Awaited(awaited),
                    _room: room,
                })?;
                tokio::spawn(deliver_in_place(client, prompt, done));
                Some(number)
            }
            Order::Finished => {
                let number = self.number();
                let results = self.results.clone();
                tokio::spawn(deliver_when_done(client, prompt, number, room, results));
                Some(number)
            }
        }
    }

    fn number(&self) -> u64 {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        *next += 1;
        number
    }

    /// Numbers a slot and puts it into the line, in one step, so that both agree.
    fn place(&self, slot: impl FnOnce(u64) -> Slot) -> Option<u64> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        *next += 1;
        self.results.try_send(slot(number)).ok()?;
        Some(number)
    }
}

async fn deliver_in_place<C: Invoke>(
    client: C,
    prompt: Prompt,
    mut done: oneshot::Sender<Answered>,
) {
    let answer = tokio::select! {
        () = done.closed() => return,
        answer = client.invoke(&prompt) => answer,
    };
    // Whoever wanted it may have gone meanwhile.
    let _unread = done.send(answer);
}

async fn deliver_when_done<C: Invoke>(
    client: C,
    prompt: Prompt,
    number: u64,
    room: OwnedSemaphorePermit,
    results: mpsc::Sender<Slot>,
) {
    let answer = tokio::select! {
        () = results.closed() => return,
        answer = client.invoke(&prompt) => answer,
    };
    let _unread = results.try_send(Slot {
        number,
        answer: Pending::Done(Box::new(answer)),
        _room: room,
    });
}

impl Results {
    /// The next answer, with its prompt's number; none when every submitter is gone and every answer
    /// has been taken.
    pub async fn next(&mut self) -> Option<(u64, Result<Answer, InvokeError>)> {
        loop {
            let slot = self.results.recv().await?;
            match slot.answer {
                Pending::Done(answer) => return Some((slot.number, *answer)),
                Pending::Awaited(answer) => {
                    // It is lost only if its task panicked, which the runtime has reported.
                    if let Ok(answer) = answer.await {
                        return Some((slot.number, answer));
                    }
                }
            }
        }
    }
}
