//! Whether a service answers what the operator asks about its shows: one condition for all of them. Pure.

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::COMMAND_ANSWERS;

use crate::conditions::{Finding, find};
use crate::seating_event::inventories::{SILENCE, Voice};

/// The condition; none where the service has no shows. Where nothing is known it stays as it was.
pub fn finding(voice: Option<&Voice>, before: &[Condition]) -> Option<Finding> {
    match voice {
        Some(Voice::Unasked) => None,
        Some(Voice::Answers) => {
            Some(Finding::met(COMMAND_ANSWERS, "Answers", "the command worker answers about its shows"))
        }
        Some(Voice::Silent(error)) => {
            let message = format!(
                "nothing was told about its shows for {} s: {error}; they are shown as they were",
                SILENCE.as_secs()
            );
            Some(Finding::unmet(COMMAND_ANSWERS, "CommandSilent", message))
        }
        None | Some(Voice::Unsure) => {
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
        let conditions = |voice: Option<&Voice>, before: &[Condition]| {
            let found = finding(voice, before).into_iter().collect();
            update(before, found, None, &Time(jiff::Timestamp::UNIX_EPOCH))
        };
        let silence = Voice::Silent(AdminError::Absent);
        assert!(conditions(Some(&Voice::Unasked), &[]).is_empty() && conditions(None, &[]).is_empty());
        let answers = conditions(Some(&Voice::Answers), &[]);
        assert_eq!(answers[0].status, "True");
        assert_eq!(conditions(Some(&Voice::Unsure), &answers), answers);
        let silent = conditions(Some(&silence), &answers);
        assert_eq!((silent[0].status.as_str(), silent[0].reason.as_str()), ("False", "CommandSilent"));
        assert_eq!(conditions(None, &silent), silent);
        assert!(conditions(Some(&Voice::Unasked), &silent).is_empty(), "its last show is gone");
    }
}
