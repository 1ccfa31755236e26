//! The transforms of a chain with their predicates (`TransformationChain`, KIP-585).

use std::sync::Arc;

use milena_api::{ConnectError, Predicate, TransformInstance};
use milena_config::Props;
use milena_data::Record;

use crate::{
    Observer, Plugins, Raw, Seen, Stage, StageFailure,
    settings::{StepSettings, step_settings, wrapped},
};

struct Condition {
    predicate: Box<dyn Predicate>,
    negate: bool,
}

struct Step {
    alias: String,
    class: Arc<str>,
    transform: TransformInstance,
    condition: Option<Condition>,
}

/// The configured transforms of one task, in order.
#[derive(Default)]
pub struct TransformChain {
    steps: Vec<Step>,
    observer: Option<Box<dyn Observer>>,
    keeps: bool,
}

impl std::fmt::Debug for TransformChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.classes()).finish()
    }
}

type Outcome = Result<Option<Record>, StageFailure>;

impl TransformChain {
    /// Builds the transforms of a connector's configuration.
    ///
    /// # Errors
    /// The configuration does not fit, or a class is not known.
    pub fn new(plugins: &dyn Plugins, connector: &Props) -> Result<Self, ConnectError> {
        let steps = step_settings(connector)?
            .into_iter()
            .map(|settings| build(plugins, settings).map_err(wrapped))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            steps,
            observer: None,
            keeps: false,
        })
    }

    /// The number of transforms.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no transform: records pass unchanged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The Java classes of the transforms, in order.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| &*step.class)
    }

    /// Whether every transform works record by record, so that [`Self::apply`] can be used.
    #[must_use]
    pub fn is_per_record(&self) -> bool {
        let per_record = |step: &Step| matches!(step.transform, TransformInstance::PerRecord(_));
        self.steps.iter().all(per_record)
    }

    /// Sets or removes who looks at each stage.
    pub fn observe(&mut self, observer: Option<Box<dyn Observer>>) {
        self.observer = observer;
    }

    /// Whether nobody looks.
    pub(crate) fn is_unseen(&self) -> bool {
        self.observer.is_none()
    }

    /// Whether a failure carries the record that its transform was given, for a caller that retries. It
    /// costs a copy of the record per transform.
    pub fn keep_for_retries(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Who looks, for the stages beside the transforms.
    pub(crate) fn observer(&mut self) -> Option<&mut (dyn Observer + 'static)> {
        self.observer.as_deref_mut()
    }

    /// Runs all transforms on one record: the changed record, or `None` when one dropped it. A
    /// transform that works by batches fails here; use [`Self::apply_batch`] for such a chain.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn apply(&mut self, record: Record) -> Outcome {
        self.apply_from(0, record)
    }

    /// As [`Self::apply`], from a position on: to go on after a retriable failure there.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn apply_from(&mut self, first: usize, mut record: Record) -> Outcome {
        if self.observer.is_none() && !self.keeps {
            let kept = self.change_unseen(first, &mut record)?;
            return Ok(kept.then_some(record));
        }
        for (index, step) in self.steps.iter_mut().enumerate().skip(first) {
            let before = (self.keeps || self.observer.is_some()).then(|| record.clone());
            let (outcome, applied) = step.run(record);
            if let (Some(observer), Some(before)) = (&mut self.observer, &before) {
                observer.seen(&step.seen(index, before, &outcome, applied));
            }
            match outcome {
                Ok(Some(next)) => record = next,
                Ok(None) => return Ok(None),
                Err(error) => {
                    let given = before.filter(|_| self.keeps).map(Box::new);
                    let mut failure = step.failure(index, error);
                    failure.given = given;
                    return Err(failure);
                }
            }
        }
        Ok(Some(record))
    }

    /// As [`Self::apply`], in the record's place; `false`: one dropped it. After an error nothing is to be expected of it.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn change(&mut self, record: &mut Record) -> Result<bool, StageFailure> {
        if self.observer.is_none() && !self.keeps {
            return self.change_unseen(0, record);
        }
        match self.apply_from(0, std::mem::take(record))? {
            Some(changed) => {
                *record = changed;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// While nobody looks: a record is large, and moved nowhere.
    fn change_unseen(&mut self, first: usize, record: &mut Record) -> Result<bool, StageFailure> {
        for (index, step) in self.steps.iter_mut().enumerate().skip(first) {
            if step.condition.is_some() {
                match step.applies(record) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => return Err(step.failure(index, error)),
                }
            }
            let outcome = match &mut step.transform {
                TransformInstance::PerRecord(transform) => transform.change(record),
                TransformInstance::Batch(_) => Err(step.by_batches()),
            };
            match outcome {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(step.failure(index, error)),
            }
        }
        Ok(true)
    }

    /// Runs all transforms on each record of a batch; one outcome per record, in order. Transforms
    /// that work by batches get all records that reach them at once.
    pub async fn apply_batch(&mut self, records: Vec<Record>) -> Vec<Outcome> {
        self.apply_batch_from(0, records).await
    }

    /// As [`Self::apply_batch`], from a position on: to go on after a retriable failure there.
    pub async fn apply_batch_from(&mut self, first: usize, records: Vec<Record>) -> Vec<Outcome> {
        if self.is_per_record() {
            return records
                .into_iter()
                .map(|record| self.apply_from(first, record))
                .collect();
        }
        let mut outcomes: Vec<Outcome> = records.into_iter().map(|r| Ok(Some(r))).collect();
        for (index, step) in self.steps.iter_mut().enumerate().skip(first) {
            let watched = self.keeps || self.observer.is_some();
            let mut before: Vec<Option<Record>> = outcomes
                .iter()
                .map(|outcome| match outcome {
                    Ok(Some(record)) if watched => Some(record.clone()),
                    _ => None,
                })
                .collect();
            let applied = step.run_batch(index, &mut outcomes).await;
            if let Some(observer) = &mut self.observer {
                for ((before, outcome), applied) in before.iter().zip(&outcomes).zip(applied) {
                    let Some(before) = before else { continue };
                    let after = match outcome {
                        Ok(record) => Ok(record.as_ref()),
                        Err(failure) => Err(&failure.error),
                    };
                    observer.seen(&step.seen_after(index, before, after, applied));
                }
            }
            if self.keeps {
                for (before, outcome) in before.iter_mut().zip(&mut outcomes) {
                    if let (Some(given), Err(failure)) = (before.take(), outcome) {
                        failure.given = Some(Box::new(given));
                    }
                }
            }
        }
        outcomes
    }
}

impl Step {
    /// Whether the transform applies to the record.
    fn applies(&mut self, record: &Record) -> Result<bool, ConnectError> {
        match &mut self.condition {
            None => Ok(true),
            Some(condition) => Ok(condition.predicate.test(record)? != condition.negate),
        }
    }

    fn run(&mut self, record: Record) -> (Result<Option<Record>, ConnectError>, bool) {
        match self.applies(&record) {
            Err(error) => return (Err(error), false),
            Ok(false) => return (Ok(Some(record)), false),
            Ok(true) => {}
        }
        let outcome = match &mut self.transform {
            TransformInstance::PerRecord(transform) => transform.apply(record),
            TransformInstance::Batch(_) => Err(self.by_batches()),
        };
        (outcome, true)
    }

    fn by_batches(&self) -> ConnectError {
        ConnectError::connect(format!(
            "transform {} works by batches and was called for one record",
            self.class
        ))
    }

    /// Replaces each living outcome by what this step makes of it; answers where it was applied.
    async fn run_batch(&mut self, index: usize, outcomes: &mut [Outcome]) -> Vec<bool> {
        let mut applied = vec![false; outcomes.len()];
        let mut batch = Vec::new();
        for (outcome, applied) in outcomes.iter_mut().zip(&mut applied) {
            let Ok(Some(record)) = outcome else { continue };
            match self.applies(record) {
                Ok(true) => {
                    *applied = true;
                    batch.push(std::mem::take(record));
                }
                Ok(false) => {}
                Err(error) => *outcome = Err(self.failure(index, error)),
            }
        }
        let answers = match &mut self.transform {
            TransformInstance::PerRecord(transform) => {
                batch.into_iter().map(|r| transform.apply(r)).collect()
            }
            TransformInstance::Batch(transform) => transform.apply(batch).await,
        };
        let mut answers = answers.into_iter();
        let places = outcomes.iter_mut().zip(&applied);
        for (outcome, _) in places.filter(|(_, applied)| **applied) {
            let answer = answers.next().unwrap_or_else(|| {
                Err(ConnectError::connect(
                    "the transform answered fewer records than it was given",
                ))
            });
            *outcome = answer.map_err(|error| self.failure(index, error));
        }
        applied
    }

    fn failure(&self, step: usize, error: ConnectError) -> StageFailure {
        StageFailure {
            stage: Stage::Transformation,
            class: self.class.clone(),
            step,
            given: None,
            error,
        }
    }

    fn seen<'a>(
        &'a self,
        step: usize,
        before: &'a Record,
        outcome: &'a Result<Option<Record>, ConnectError>,
        applied: bool,
    ) -> Seen<'a> {
        let after = outcome.as_ref().map(Option::as_ref);
        self.seen_after(step, before, after, applied)
    }

    fn seen_after<'a>(
        &'a self,
        step: usize,
        before: &'a Record,
        after: Result<Option<&'a Record>, &'a ConnectError>,
        applied: bool,
    ) -> Seen<'a> {
        Seen {
            stage: Stage::Transformation,
            alias: &self.alias,
            class: &self.class,
            step,
            before: Some(before),
            after,
            applied,
            raw: Raw::None,
        }
    }
}

fn build(plugins: &dyn Plugins, settings: StepSettings) -> Result<Step, ConnectError> {
    let plugin = plugins.transform(&settings.class).ok_or_else(|| {
        unknown(
            &settings.class,
            &format!("transforms.{}.type", settings.alias),
        )
    })?;
    let condition = match settings.predicate {
        None => None,
        Some(own) => {
            let plugin = plugins
                .predicate(&own.class)
                .ok_or_else(|| unknown(&own.class, &format!("predicates.{}.type", own.alias)))?;
            Some(Condition {
                predicate: plugin.predicate(&own.config)?,
                negate: own.negate,
            })
        }
    };
    // The definition speaks first, as in a worker that validates: its words are those of 4.3.
    plugin.config_def().parse(&settings.config)?;
    Ok(Step {
        alias: settings.alias,
        class: plugin.class().into(),
        transform: plugin.transform(&settings.config)?,
        condition,
    })
}

fn unknown(class: &str, key: &str) -> ConnectError {
    ConnectError::config(format!(
        "Invalid value {class} for configuration {key}: Class {class} could not be found."
    ))
}
