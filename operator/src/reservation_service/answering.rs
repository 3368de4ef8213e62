//! Whether a service answers what the operator asks about its shows: one condition for all of them. Pure.

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::COMMAND_ANSWERS;

use crate::conditions::{Finding, find};
use crate::seating_event::inventories::{Answering, SILENCE};

/// The condition; none where the service has no shows. Where nothing is known it stays as it was.
pub fn finding(answering: Option<&Answering>, before: &[Condition]) -> Option<Finding> {
    match answering {
        Some(Answering::Unasked) => None,
        Some(Answering::Answers) => {
            Some(Finding::met(COMMAND_ANSWERS, "Answers", "the command worker answers about its shows"))
        }
        Some(Answering::Silent(error)) => {
            let message = format!(
                "nothing was told about its shows for {} s: {error}; they are shown as they were",
                SILENCE.as_secs()
            );
            Some(Finding::unmet(COMMAND_ANSWERS, "CommandSilent", message))
        }
        None | Some(Answering::Unsure) => {
            let last = find(before, COMMAND_ANSWERS)?;
            Some(Finding {
                kind: COMMAND_ANSWERS,
                met: last.status == "True",
                reason: last.reason.clone(),
                message: last.message.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::AdminError;
    use crate::conditions::update;
    use boxoffice_crds::common::Time;

    #[test]
    fn a_service_that_is_silent_says_so_until_it_answers() {
        let conditions = |answering: Option<&Answering>, before: &[Condition]| {
            let found = finding(answering, before).into_iter().collect();
            update(before, found, None, &Time(jiff::Timestamp::UNIX_EPOCH))
        };
        let silence = Answering::Silent(AdminError::Absent);
        assert!(conditions(Some(&Answering::Unasked), &[]).is_empty() && conditions(None, &[]).is_empty());
        let answers = conditions(Some(&Answering::Answers), &[]);
        assert_eq!(answers[0].status, "True");
        assert_eq!(conditions(Some(&Answering::Unsure), &answers), answers);
        let silent = conditions(Some(&silence), &answers);
        assert_eq!((silent[0].status.as_str(), silent[0].reason.as_str()), ("False", "CommandSilent"));
        assert_eq!(conditions(None, &silent), silent);
        assert!(conditions(Some(&Answering::Unasked), &silent).is_empty(), "its last show is gone");
    }
}
