use super::super::machine::testing::payment_of;
use super::*;

fn said(asked: Ask, status: u16, body: &str) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = client::Answer {
        status,
        retry_after: Some(Duration::from_secs(7)),
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
    };
    read(asked, Ok(answer))
}

fn answers(asked: Ask, status: u16, body: &str) -> Answer {
    let reply = said(asked, status, body);
    assert_eq!(reply.alarm, None, "{status} {body}");
    reply.answer
}

const AFTER: Answer = Answer::Again { after: Some(Duration::from_secs(7)) };

#[test]
fn answers_mean_what_the_table_says() {
    let paid = Answer::Succeeded { payment_id: "p-1".into() };
    for asked in [Ask::Post, Ask::Get] {
        assert_eq!(answers(asked, 201, r#"{"status": "succeeded", "paymentId": "p-1", "more": 1}"#), paid);
        assert_eq!(answers(asked, 200, r#"{"status": "declined", "reason": "no funds"}"#), Answer::Declined);
        assert_eq!(answers(asked, 202, r#"{"status": "pending"}"#), Answer::Pending);
        assert_eq!(answers(asked, 402, "whatever"), Answer::Declined);
        for again in [408, 425, 429, 500, 502, 503] {
            assert_eq!(answers(asked, again, "{}"), AFTER, "{again}");
        }
    }
    assert_eq!(answers(Ask::Get, 404, ""), Answer::NotFound);
    assert_eq!(read(Ask::Post, Err(Silence::Late)).answer, Answer::Again { after: None });
}

#[test]
fn what_is_not_understood_is_no_answer_and_somebody_is_told() {
    let long = "x".repeat(257);
    let long = format!(r#"{{"status": "succeeded", "paymentId": "{long}"}}"#);
    for rubbish in ["", "<html>", "{}", r#"{"status": "succeeded"}"#, r#"{"status": "done"}"#, long.as_str()]
    {
        let reply = said(Ask::Post, 200, rubbish);
        assert_eq!(reply.answer, AFTER, "{rubbish}");
        assert!(reply.alarm.is_some(), "{rubbish}");
    }
    let too_large = client::Answer { status: StatusCode::OK, retry_after: None, body: None };
    assert!(read(Ask::Get, Ok(too_large)).alarm.is_some());
    for status in [301, 307, 400, 401, 403, 409, 422] {
        assert!(said(Ask::Get, status, "{}").alarm.is_some());
        assert!(matches!(said(Ask::Get, status, "{}").answer, Answer::Again { .. }), "{status}");
    }
    for status in [400, 401, 404, 409, 422] {
        let reply = said(Ask::Post, status, "{}");
        assert_eq!((reply.answer, reply.alarm.is_some()), (Answer::Refused, true), "{status}");
    }
    assert!(matches!(said(Ask::Post, 302, "").answer, Answer::Again { .. }), "redirects are not followed");
}

#[test]
fn the_key_is_the_reservation_and_the_token_is_shown_to_nobody_else() {
    let gateway = HttpGateway::new("http://localhost:9/charges/?mode=test", Some(" hush\n")).unwrap();
    let payment = payment_of("alice");
    let key = payment.reservation_id.to_string();
    let posted = gateway.request(Ask::Post, &payment).unwrap();
    assert_eq!(posted.uri(), "http://localhost:9/charges/?mode=test");
    assert_eq!(posted.headers()["idempotency-key"], key.as_str());
    assert_eq!(posted.headers()["authorization"], "Bearer hush");
    assert_eq!(posted.headers()["x-correlation-id"], "c-1");
    assert!(posted.headers().contains_key("traceparent"));
    assert!(!format!("{posted:?} {gateway:?}").contains("hush"));
    let asked = gateway.request(Ask::Get, &payment).unwrap();
    assert_eq!(asked.uri().to_string(), format!("http://localhost:9/charges/{key}?mode=test"));
    let body: serde_json::Value = serde_json::from_str(&body(&payment)).unwrap();
    let expected = json!({"reservationId": key, "eventId": "arena-night", "userId": "alice", "amount": 200,
                          "currency": "EUR"});
    assert_eq!(body, expected);
}

#[test]
fn what_cannot_be_called_is_refused_by_field() {
    let refused = |url: &str, token| HttpGateway::new(url, token).unwrap_err().to_string();
    assert!(refused("http://payments.example.com", None).starts_with("payment.url: "));
    assert!(refused("http://localhost", Some("hu\nsh")).starts_with("payment.secretRef: "));
    assert!(!refused("http://localhost", Some("hu\nsh")).contains("hu"));
}
