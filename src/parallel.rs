//! The same work on any number of threads.
//!
//! Promises: results come back in the order of the jobs, whatever the number of threads.
//!
//! Deliberately not: async. These are simulations, and each keeps a processor busy.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does every job on up to `threads` threads, and tells how many are done after each.
///
/// # Panics
///
/// If a job panics.
pub fn map<J: Sync, R: Send>(
    jobs: &[J],
    threads: usize,
    work: impl Fn(&J) -> R + Sync,
    progress: impl Fn(usize) + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let mut empty = Vec::with_capacity(jobs.len());
    empty.resize_with(jobs.len(), || None);
    let results = Mutex::new(empty);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { return };
                    let result = work(job);
                    results.lock().expect("no thread panics with the results")[place] =
                        Some(result);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let results = results
        .into_inner()
        .expect("no thread panics with the results");
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..100).collect();
        for threads in [0, 1, 3, 200] {
            let squares = map(&jobs, threads, |job| job * job, |_| {});
            assert_eq!(
                squares,
                jobs.iter().map(|job| job * job).collect::<Vec<_>>()
            );
        }
        assert!(map(&[], 4, |job: &u64| *job, |_| {}).is_empty());
    }

    #[test]
    fn every_job_is_told_of() {
        let told = AtomicUsize::new(0);
        map(
            &[1, 2, 3],
            2,
            |job| *job,
            |done| {
                told.fetch_max(done, Ordering::Relaxed);
            },
        );
        assert_eq!(told.into_inner(), 3);
    }
}
