//! What becomes of the Secret of the admin token, and which token is shown meanwhile.

use super::*;

const OWNER: &str = "tickets/main";

fn token(letter: &str) -> String {
    letter.repeat(SHORTEST)
}

fn tokens(now: &str, previous: Option<&str>) -> Tokens {
    Tokens { token: token(now), previous: previous.map(token) }
}

fn content(now: &str, previous: Option<&str>) -> Content {
    let one = |key: &str, letter: &str| (key.to_owned(), ByteString(token(letter).into_bytes()));
    std::iter::once(one(TOKEN, now)).chain(previous.map(|previous| one(PREVIOUS, previous))).collect()
}

fn decided(content: Option<&Content>, known: Option<&Tokens>, taken: bool) -> (Tokens, SecretAction) {
    decide(content, known, taken, || token("f")).unwrap_or_else(|problem| panic!("{problem}"))
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", &self.token[..1], self.previous.as_ref().map(|previous| &previous[..1]))
    }
}

#[test]
fn a_lost_secret_is_made_again_with_what_is_known() {
    let known = tokens("a", None);
    assert_eq!(decided(None, Some(&known), false), (known.clone(), SecretAction::Make { anew: false }));
    let exchanging = tokens("b", Some("a"));
    assert_eq!(
        decided(None, Some(&exchanging), false),
        (exchanging.clone(), SecretAction::Make { anew: false })
    );
    assert_eq!(decided(None, None, false), (tokens("f", None), SecretAction::Make { anew: true }));
    let empty = Content::new();
    assert_eq!(decided(Some(&empty), Some(&known), false), (known, SecretAction::Repair));
    assert_eq!(decided(Some(&empty), None, false), (tokens("f", None), SecretAction::Make { anew: true }));
}

#[test]
fn another_token_begins_an_exchange_which_ends_when_all_take_it() {
    let known = tokens("a", None);
    assert_eq!(decided(Some(&content("a", None)), Some(&known), true), (known.clone(), SecretAction::Keep));
    let begun = tokens("b", Some("a"));
    assert_eq!(
        decided(Some(&content("b", None)), Some(&known), false),
        (begun.clone(), SecretAction::Exchange)
    );
    assert_eq!(
        decided(Some(&content("b", Some("a"))), Some(&begun), false),
        (begun.clone(), SecretAction::Keep)
    );
    assert_eq!(
        decided(Some(&content("b", Some("a"))), Some(&begun), true),
        (tokens("b", None), SecretAction::Finish)
    );
    // As a process does that has just begun.
    assert_eq!(decided(Some(&content("b", Some("a"))), None, false), (begun.clone(), SecretAction::Keep));
    assert_eq!(decided(Some(&content("b", None)), Some(&begun), false), (begun, SecretAction::Repair));
}

#[test]
fn a_third_token_in_the_middle_keeps_the_one_that_all_know() {
    let begun = tokens("b", Some("a"));
    let third = tokens("c", Some("a"));
    assert_eq!(
        decided(Some(&content("c", Some("a"))), Some(&begun), true),
        (third.clone(), SecretAction::Keep)
    );
    assert_eq!(decided(Some(&content("c", None)), Some(&begun), false), (third, SecretAction::Exchange));
    assert_eq!(
        decided(Some(&content("a", Some("a"))), Some(&begun), false),
        (tokens("a", None), SecretAction::Keep)
    );
}

#[test]
fn a_token_that_could_be_guessed_or_not_be_sent_is_not_used() {
    for bad in ["short".to_owned(), format!("{}\n", token("a")), format!("{} b", token("a"))] {
        let content: Content = [(TOKEN.to_owned(), ByteString(bad.clone().into_bytes()))].into();
        let problem = decide(Some(&content), None, false, || token("f")).unwrap_err();
        assert!(problem.contains("token has to be at least 32") && !problem.contains(&bad), "{problem}");
    }
    let content: Content = [(TOKEN.to_owned(), ByteString(vec![0xff; 40]))].into();
    assert!(decide(Some(&content), None, false, || token("f")).is_err());
}

#[test]
fn the_newest_token_that_every_pod_takes_is_shown() {
    let (before, both, after) = (tokens("a", None), tokens("b", Some("a")), tokens("b", None));
    let [old, rolling, new] = [&before, &both, &after].map(|tokens| tokens.mark(OWNER));
    let shown = |tokens: &Tokens, marks: &[&str]| {
        let marks: Vec<_> = marks.iter().copied().map(Some).collect();
        tokens.shown(OWNER, &marks).map(|token| token[..1].to_owned())
    };
    assert_eq!(shown(&both, &[&old, &rolling]).as_deref(), Some("a"), "one pod of before is left");
    assert_eq!(shown(&both, &[&rolling]).as_deref(), Some("b"));
    assert_eq!(shown(&after, &[&rolling, &new]).as_deref(), Some("b"));
    assert_eq!(shown(&after, &[&old, &new]), None, "no token is known to both");
    assert_eq!(shown(&both, &[]).as_deref(), Some("b"), "nothing runs");
    assert_eq!(
        after.shown(OWNER, &[None, Some(&new)]),
        Some(after.token.as_str()),
        "pods of before this version"
    );
    assert!(!rolling.contains("aaa") && old != before.mark("tickets/other"));
}

#[test]
fn the_memory_is_good_while_somebody_looks() {
    let (memory, service, start) = (Keyring::default(), ("tickets".into(), "main".into()), Instant::now());
    assert_eq!(memory.shown(&service, start), None);
    memory.note(service.clone(), tokens("a", None), Some(token("a")), start);
    assert_eq!(memory.shown(&service, start), Some(Some(token("a"))));
    assert_eq!(memory.shown(&service, start + GOOD_FOR), None);
    assert_eq!(memory.tokens(&service), Some(tokens("a", None)), "what it held is known all the same");
    memory.forget(&service);
    assert_eq!(memory.tokens(&service), None);
}
