//! A test by name, and how it ended.

use std::env;
use std::error::Error;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::twin::Scenario;
use crate::world::{self, Side, World};
use crate::{broker, compile, place};

/// How a test ended: well, or with what went wrong, or as [`Skip`].
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Why a test could not run here.
#[derive(Debug)]
pub struct Skip(pub String);

impl fmt::Display for Skip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for Skip {}

/// For a broker to see what has ended.
const SETTLED: Duration = Duration::from_secs(5);

type Inside = Box<dyn Fn(&World) -> Outcome + Send + Sync>;
/// Makes the program that is [`World::CLIENT`] inside.
type Client = fn() -> Result<PathBuf, Box<dyn Error + Send + Sync>>;

enum Body {
    Here(Box<dyn Fn() -> Outcome + Send + Sync>),
    World(Side, Client, Inside),
    Twin(Scenario),
    TwinThroughBroker(Scenario),
}

/// A test.
pub struct Case {
    name: String,
    body: Body,
}

impl Case {
    /// A test that needs no world of its own.
    pub fn here(name: &str, body: impl Fn() -> Outcome + Send + Sync + 'static) -> Case {
        Case { name: name.into(), body: Body::Here(Box::new(body)) }
    }

    /// A test inside a world, where it is root and process 1.
    pub fn world(
        name: &str,
        side: Side,
        body: impl Fn(&World) -> Outcome + Send + Sync + 'static,
    ) -> Case {
        Case::world_of(name, side, compile::client, body)
    }

    /// A test inside a world, with a client of its own.
    pub fn world_of(
        name: &str,
        side: Side,
        client: Client,
        body: impl Fn(&World) -> Outcome + Send + Sync + 'static,
    ) -> Case {
        Case { name: name.into(), body: Body::World(side, client, Box::new(body)) }
    }

    /// A scenario run once with each library, and the two compared.
    pub fn twin(scenario: Scenario) -> Case {
        Case { name: scenario.name.into(), body: Body::Twin(scenario) }
    }

    /// The same, with the broker on our side.
    pub fn twin_through_broker(scenario: Scenario) -> Case {
        Case { name: scenario.name.into(), body: Body::TwinThroughBroker(scenario) }
    }

    /// What the case does in the world it is in.
    pub(crate) fn inside(&self, world: &World) -> Outcome {
        match &self.body {
            Body::Here(body) => body(),
            Body::World(_, _, body) => body(world),
            Body::Twin(scenario) => (scenario.body)(world),
            Body::TwinThroughBroker(scenario) => {
                (scenario.body)(world)?;
                match world.side {
                    // The logouts of what the scenario has left are to be in the files.
                    Side::Broker => broker::until_kept(0, SETTLED),
                    _ => Ok(()),
                }
            }
        }
    }

    fn outside(&self) -> Outcome {
        match &self.body {
            Body::Here(body) => body(),
            Body::World(side, client, _) => {
                world::Outside::new()?.run(&self.name, *side, &client()?)
            }
            Body::Twin(scenario) => scenario.run(),
            Body::TwinThroughBroker(scenario) => scenario.run_through_broker(),
        }
    }
}

/// The main of a test executable: all its cases, or, started anew inside a world, one.
pub fn run(cases: Vec<Case>) -> ExitCode {
    if let Some(code) = world::continue_inside(&cases) {
        return code;
    }
    let trials = cases
        .into_iter()
        .map(Arc::new)
        .map(|case| Trial::ignorable_test(case.name.clone(), move || conclude(&case)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

pub(crate) fn find<'a>(cases: &'a [Case], name: &str) -> Option<&'a Case> {
    cases.iter().find(|case| case.name == name)
}

fn conclude(case: &Case) -> Result<Completion, Failed> {
    let Err(error) = case.outside() else {
        return Ok(Completion::Completed);
    };
    match error.downcast::<Skip>() {
        Ok(skip) if place::no_skip() => {
            Err(format!("may not be skipped in this run, but: {skip}").into())
        }
        Ok(skip) => {
            note_skipped(&case.name, &skip);
            Ok(Completion::ignored_with(skip))
        }
        Err(error) => Err(error.to_string().into()),
    }
}

/// So that a run of many test executables can end with one list.
fn note_skipped(name: &str, skip: &Skip) {
    let Some(list) = env::var_os("UTEMPTER_SKIPPED") else {
        return;
    };
    let line = format!("{name}: {skip}\n");
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        eprintln!("{}: {error}", list.to_string_lossy());
    }
}
