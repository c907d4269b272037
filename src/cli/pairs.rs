//! Runs in turns, so that a machine's drift meets both sides alike.
//!
//! The order is A B B A A B B A …: what grows steadily with time then adds the same to both.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use bedload::results::Run;
use bedload::scenario::TargetSettings;

use super::args::compare::Compare;
use super::args::{ScenarioArgs, TargetName};
use super::exit::BadInput;
use super::{output, overrides};

/// One side: which program makes its runs, with what set, and where they go.
struct Side {
    name: &'static str,
    program: PathBuf,
    set: Vec<String>,
    out: PathBuf,
}

/// What is made.
pub struct Making {
    scenario: PathBuf,
    name: String,
    seed: u64,
    command: &'static [&'static str],
    sides: [Side; 2],
}

/// Two settings of one scenario, on the stub.
pub struct Wanted<'a> {
    pub scenario: &'a Path,
    pub out: &'a Path,
    pub seed: Option<u64>,
    /// What to set for the base, and for the new side.
    pub sets: [Vec<String>; 2],
}

impl Making {
    /// Two settings of this program on the stub.
    pub fn of_settings(wanted: &Wanted<'_>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        let [base, new] = wanted.sets.clone();
        let side = |name, set| Side {
            name,
            program: own.clone(),
            set,
            out: wanted.out.join(name),
        };
        let sides = [side("base", base), side("new", new)];
        Self::of(wanted.scenario, wanted.seed, sides, Some(TargetName::Stub))
    }

    /// Checks that both sides can be run: a mistake shall not cost half an hour.
    pub fn new(args: &Compare, scenario: &str) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find this program")?;
        let side = |name, program: &Option<PathBuf>, set: &[String]| -> anyhow::Result<Side> {
            Ok(Side {
                name,
                program: match program {
                    Some(path) => program_of(path)?,
                    None => own.clone(),
                },
                set: set.to_vec(),
                out: args.out.join(name),
            })
        };
        let sides = [
            side("base", &args.base, &args.base_set)?,
            side("new", &args.new, &args.new_set)?,
        ];
        Self::of(
            Path::new(scenario),
            None,
            sides,
            args.sim.then_some(TargetName::Sim),
        )
    }

    fn of(
        scenario: &Path,
        seed: Option<u64>,
        sides: [Side; 2],
        target: Option<TargetName>,
    ) -> anyhow::Result<Self> {
        let mut found = None;
        // Two programs with the same settings have one scenario, whose warnings are told once.
        let same = sides[0].set == sides[1].set;
        for side in sides.iter().skip(usize::from(same)) {
            let with = ScenarioArgs {
                scenario: scenario.to_owned(),
                seed,
                duration: None,
                set: side.set.clone(),
            };
            let Some(checked) = overrides::load(&with, target)? else {
                let help = format!("the {} side has no scenario that can be run", side.name);
                return Err(BadInput(help).into());
            };
            found = Some(checked);
        }
        let checked = found.context("there are two sides")?;
        let command = match checked.target {
            TargetSettings::Sim => ["sim"].as_slice(),
            TargetSettings::Stub => &["run", "--target", "stub"],
            TargetSettings::Bedrock { .. } => {
                let help = "`--pairs` runs on the stub or with `--sim`: runs on Bedrock cost money, and are made \
                            one by one";
                return Err(BadInput(help.to_owned()).into());
            }
        };
        Ok(Self {
            scenario: scenario.to_owned(),
            name: checked.name,
            seed: checked.seed.0,
            command,
            sides,
        })
    }

    /// Whether the runs are in virtual time.
    pub fn is_simulated(&self) -> bool {
        self.command == ["sim"]
    }

    /// Makes them; none if somebody interrupted.
    pub fn make(&self, pairs: u32) -> anyhow::Result<Option<(Vec<Run>, Vec<Run>)>> {
        let mut made = [Vec::new(), Vec::new()];
        for pair in 0..pairs {
            // A pair has one seed, and so the same requests on both sides.
            let seed = self.seed + u64::from(pair);
            let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
            for side in order {
                output::hint(&format!(
                    "pair {} of {pairs}: {}",
                    pair + 1,
                    self.sides[side].name
                ));
                match self.run(&self.sides[side], seed)? {
                    Some(run) => made[side].push(run),
                    None => return Ok(None),
                }
            }
        }
        let [base, new] = made;
        Ok(Some((base, new)))
    }

    /// Makes one run of the base's settings; none if somebody interrupted.
    pub fn one(&self) -> anyhow::Result<Option<Run>> {
        self.run(&self.sides[0], self.seed)
    }

    fn run(&self, side: &Side, seed: u64) -> anyhow::Result<Option<Run>> {
        let program = side.program.display();
        let before = newest(&side.out.join(&self.name));
        let mut command = Command::new(&side.program);
        command
            .args(self.command)
            .arg(&self.scenario)
            .args(["--quiet", "--seed", &seed.to_string()])
            .arg("--out")
            .arg(&side.out)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for set in &side.set {
            command.args(["--set", set]);
        }
        let status = command
            .status()
            .with_context(|| format!("cannot start `{program}`"))?;
        // A run that misses its pass marks is a run all the same.
        match status.code() {
            Some(0 | 1) => {}
            Some(130) => return Ok(None),
            None => {
                anyhow::bail!(
                    "`{program}` was ended by a signal before its run was over ({status})"
                );
            }
            Some(code) => {
                let said = if code == 2 {
                    "could not use the scenario"
                } else {
                    "could not run it"
                };
                anyhow::bail!("`{program}` {said} (exit code {code})");
            }
        }
        let dir = newest(&side.out.join(&self.name)).filter(|dir| before.as_ref() != Some(dir));
        let dir =
            dir.with_context(|| format!("`{program}` left no run in {}", side.out.display()))?;
        Ok(Some(Run::open(&dir)?))
    }
}

/// The program that is meant: itself, or that of a checkout in which it is built.
fn program_of(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let name = format!("bedload{}", std::env::consts::EXE_SUFFIX);
    let places = [
        path.join("target/release").join(&name),
        path.join("target/debug").join(&name),
        path.join(&name),
    ];
    let found = places.into_iter().find(|place| place.is_file());
    found.ok_or_else(|| {
        let help = format!(
            "there is no program in `{}`: build it there with `cargo build --release`, or name the program itself",
            path.display()
        );
        BadInput(help).into()
    })
}

/// The newest run of a folder of results.
fn newest(folder: &Path) -> Option<PathBuf> {
    Run::open(folder).ok()?.dir
}
