//! What is wanted of a link: by the operator, and by who has the server.

use crate::cluster::Tenure;
use tokio::sync::watch;

/// What is wanted of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Be connected. A new number means: begin anew, now.
    Run(u64),
    /// Be disconnected, and keep what is known.
    Stop,
    /// Be disconnected: another node is to be connected.
    Yield,
    /// End every call as lost, and go.
    Remove,
    /// Log off and go: the host itself stops.
    Quit,
}

impl Goal {
    /// The goal of a server that is to run: `step` 1 begins anew even if it runs.
    pub(super) fn running(self, step: u64) -> Self {
        match self {
            Self::Run(turn) => Self::Run(turn + step),
            Self::Stop | Self::Yield | Self::Remove | Self::Quit => Self::Run(0),
        }
    }

    /// Takes what is kept of the operator's wishes; whether that is another goal.
    pub(super) fn follow(&mut self, kept: Self) -> bool {
        let is_other =
            matches!((*self, kept), (Self::Run(_), Self::Stop) | (Self::Stop, Self::Run(_)));
        if is_other {
            *self = kept;
        }
        is_other
    }
}

/// What comes of the operator's goal, here.
fn here(goal: Goal, tenure: Option<&Tenure>) -> Goal {
    match goal {
        Goal::Run(_) | Goal::Stop if tenure.is_none() => Goal::Yield,
        goal => goal,
    }
}

/// Joins both, as long as somebody has the operator's goal in hand.
pub(super) fn join(
    mut goal: watch::Receiver<Goal>,
    mut tenure: watch::Receiver<Option<Tenure>>,
) -> watch::Receiver<Goal> {
    let now = here(*goal.borrow_and_update(), tenure.borrow_and_update().as_ref());
    let (sender, joined) = watch::channel(now);
    tokio::spawn(async move {
        loop {
            let is_over = tokio::select! {
                changed = goal.changed() => changed.is_err(),
                // A place outlives its link.
                changed = tenure.changed() => changed.is_err(),
                () = sender.closed() => true,
            };
            if is_over {
                return;
            }
            let new = here(*goal.borrow_and_update(), tenure.borrow_and_update().as_ref());
            sender.send_if_modified(|old| std::mem::replace(old, new) != new);
        }
    });
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Lease;

    #[tokio::test]
    async fn a_link_runs_where_its_server_is_and_ends_wherever_it_is() {
        let (goal, tenure) = (watch::Sender::new(Goal::Run(0)), watch::Sender::new(None));
        let mut joined = join(goal.subscribe(), tenure.subscribe());
        assert_eq!(*joined.borrow_and_update(), Goal::Yield);
        tenure.send_replace(Some(Tenure { lease: Lease::endless(), term: None }));
        joined.changed().await.unwrap();
        assert_eq!(*joined.borrow_and_update(), Goal::Run(0));
        goal.send_replace(Goal::Stop);
        joined.changed().await.unwrap();
        assert_eq!(*joined.borrow_and_update(), Goal::Stop);
        tenure.send_replace(None);
        joined.changed().await.unwrap();
        assert_eq!(*joined.borrow_and_update(), Goal::Yield);
        goal.send_replace(Goal::Remove);
        joined.changed().await.unwrap();
        assert_eq!(*joined.borrow_and_update(), Goal::Remove);
        drop(goal);
        assert!(joined.changed().await.is_err(), "nobody can want anything any more");
    }
}
