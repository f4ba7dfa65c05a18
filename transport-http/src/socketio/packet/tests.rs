#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;
use telemed_core::calls::SignalKind;

use super::*;

fn socket(text: &str) -> SocketPacket<'_> {
    SocketPacket::read(text).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn engine_packets() {
    for (text, packet) in [
        ("1", EnginePacket::Close),
        ("2", EnginePacket::Ping("")),
        ("2probe", EnginePacket::Ping("probe")),
        ("3", EnginePacket::Pong),
        ("4", EnginePacket::Message("")),
        ("4hello", EnginePacket::Message("hello")),
        ("4مرحبا", EnginePacket::Message("مرحبا")),
        ("5", EnginePacket::Upgrade),
        ("6", EnginePacket::Noop),
        ("bAQIDBA==", EnginePacket::Binary),
    ] {
        assert_eq!(EnginePacket::read(text), Ok(packet), "{text}");
    }
    for text in ["", "abc", "0", "0{}", "7", "9hello", "5x", "é", "\u{1e}"] {
        assert_eq!(EnginePacket::read(text), Err(Malformed), "{text:?}");
    }
}

#[test]
fn a_body_holds_packets_between_separators() {
    let read = |body| EnginePacket::read_all(body);
    assert_eq!(read("4hello"), Ok(vec![EnginePacket::Message("hello")]));
    assert_eq!(
        read("4test1\u{1e}4test2\u{1e}3"),
        Ok(vec![
            EnginePacket::Message("test1"),
            EnginePacket::Message("test2"),
            EnginePacket::Pong,
        ])
    );
    for body in [
        "",
        "\u{1e}",
        "4a\u{1e}",
        "\u{1e}4a",
        "4a\u{1e}\u{1e}4b",
        "4a\u{1e}abc",
    ] {
        assert_eq!(read(body), Err(Malformed), "{body:?}");
    }
}

#[test]
fn a_client_connects() {
    assert_eq!(socket("0").kind, SocketKind::Connect(Value::Null));
    assert_eq!(
        socket(r#"0{"token":"123"}"#).kind,
        SocketKind::Connect(json!({"token": "123"}))
    );
    let admin = socket(r#"0/admin,{"token":"123"}"#);
    assert_eq!(admin.namespace, "/admin");
    assert_eq!(admin.kind, SocketKind::Connect(json!({"token": "123"})));
    for text in ["0/admin", "0/admin,", "0/admin?a=b,"] {
        assert_eq!(socket(text).namespace, "/admin", "{text}");
    }
}

#[test]
fn a_client_disconnects() {
    assert_eq!(socket("1").kind, SocketKind::Disconnect);
    let admin = socket("1/admin,");
    assert_eq!(
        (admin.namespace, admin.kind),
        ("/admin", SocketKind::Disconnect)
    );
}

#[test]
fn events_and_acknowledgements() {
    let event = |name: &'static str, payload, id, json| SocketKind::Event {
        name: name.into(),
        payload,
        id,
        json,
    };
    assert_eq!(
        socket(r#"2["hello",1,{"a":[true]}]"#).kind,
        event(
            "hello",
            Payload::Json("1"),
            None,
            r#"["hello",1,{"a":[true]}]"#
        )
    );
    assert_eq!(
        socket(r#"2456["ping"]"#).kind,
        event("ping", Payload::Nothing, Some(456), r#"["ping"]"#)
    );
    assert_eq!(
        socket(r#"2/admin,456["ping"]"#).kind,
        event("ping", Payload::Nothing, Some(456), r#"["ping"]"#)
    );
    assert_eq!(
        socket("2[7]").kind,
        event("7", Payload::Nothing, None, "[7]")
    );
    let spaced = r#"["a\u0062", {"a": [true]} ]"#;
    assert_eq!(
        socket(&format!("2{spaced}")).kind,
        event("ab", Payload::Json(r#"{"a": [true]}"#), None, spaced)
    );
    assert_eq!(
        socket(r#"2["a",null]"#).kind,
        event("a", Payload::Nothing, None, r#"["a",null]"#)
    );
    assert_eq!(socket("3456[]").kind, SocketKind::Ack);
    assert_eq!(socket("3/admin,456[\"a\"]").kind, SocketKind::Ack);
}

#[test]
fn signals_are_read_in_one_go() {
    let offer = r#"{"sdp":"v=0\r\n" , "type":"offer"}"#;
    let body = |text: &str| match socket(text).kind {
        SocketKind::Event {
            payload: Payload::Signal(body),
            name,
            ..
        } => {
            let payload = |kind| {
                body.payload(kind)
                    .map(|raw| raw.map(|raw| raw.get().to_owned()))
            };
            let kinds = [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate];
            (name.into_owned(), body.call_id.clone(), kinds.map(payload))
        }
        other => panic!("{text}: {other:?}"),
    };
    let (name, call, payloads) = body(&format!(
        r#"2["webrtc:offer",{{"offer":{offer},"call_id":"c","more":[1]}},"rest"]"#
    ));
    assert_eq!(
        (name.as_str(), call.as_deref()),
        ("webrtc:offer", Some("c"))
    );
    // As it came.
    assert_eq!(payloads, [Some(Some(offer.to_owned())), None, None]);
    let (_, _, payloads) = body(r#"27["webrtc:ice",{"candidate":null}]"#);
    assert_eq!(payloads, [None, None, Some(None)]);
    // What is wrong with one is found by whoever reads it.
    for text in [
        r#"2["webrtc:ice"]"#,
        r#"2["webrtc:ice",null]"#,
        r#"2["webrtc:ice",7]"#,
        r#"2["webrtc:ice",{"call_id":7}]"#,
        r#"2["webrtc:icy",{}]"#,
        // The values of the fields in their order are no object.
        r#"2["webrtc:ice",["c",null,null,null,{"candidate":""}]]"#,
    ] {
        assert!(!matches!(
            socket(text).kind,
            SocketKind::Event {
                payload: Payload::Signal(_),
                ..
            }
        ));
    }
}

#[test]
fn binary_is_told_from_rubbish() {
    let refused = |id, attachments| SocketKind::BinaryEvent { id, attachments };
    let one = r#"51-["hello",{"_placeholder":true,"num":0}]"#;
    assert_eq!(socket(one).kind, refused(None, 1));
    let two = r#"52-/admin,456["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    assert_eq!(socket(two).kind, refused(Some(456), 2));
    let ack = r#"61-456[{"_placeholder":true,"num":0}]"#;
    assert_eq!(socket(ack).kind, SocketKind::Ack);
}

#[test]
fn rubbish_is_malformed() {
    for text in [
        "",
        "abc",
        "é",
        "2",
        "2{}",
        "2[]",
        "2[{}]",
        "2[null]",
        "2hello",
        "2abc[\"a\"]",
        "2[\"a\"",
        "2[\"a\"]x",
        "21234567890123456[\"a\"]",
        "2-1[\"a\"]",
        "3[]",
        "3",
        "1{}",
        "0[]",
        "0\"a\"",
        "0{",
        "01{}",
        "4{\"message\":\"a\"}",
        "5[\"a\"]",
        "5-[\"a\"]",
        "517-[\"a\"]",
        "5999999999999999999999-[\"a\"]",
        "61-[\"a\"]",
        "7",
    ] {
        assert_eq!(SocketPacket::read(text), Err(Malformed), "{text}");
    }
    let deep = format!("2[\"a\",{}", "[".repeat(100_000));
    assert_eq!(SocketPacket::read(&deep), Err(Malformed));
}

#[test]
fn what_we_send() {
    assert_eq!(encoded("a", &json!({"b": 1})), r#"42["a",{"b":1}]"#);
    assert_eq!(
        ack_text(7, &json!({"success": true})),
        r#"437[{"success":true}]"#
    );
    assert_eq!(connected_text("x"), r#"40{"sid":"x"}"#);
    let refusal = json!({"message": "Invalid namespace"});
    assert_eq!(
        refused_text("/random", &refusal),
        r#"44/random,{"message":"Invalid namespace"}"#
    );
    assert_eq!(
        refused_text("/", &refusal),
        r#"44{"message":"Invalid namespace"}"#
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_event_comes_back_as_it_went(name in ".*", data in any_json()) {
        let text = encoded(&name, &data);
        let Ok(EnginePacket::Message(message)) = EnginePacket::read(&text) else {
            panic!("{text}");
        };
        // In JSON the separator is written as an escape, so it never cuts a packet in two.
        prop_assert!(!text.contains(SEPARATOR));
        match SocketPacket::read(message).unwrap().kind {
            SocketKind::Event { name: read, payload: Payload::Json(json), id: None, .. } => {
                prop_assert_eq!(read, name);
                prop_assert_eq!(serde_json::from_str::<Value>(json).unwrap(), data);
            }
            SocketKind::Event { payload: Payload::Nothing, .. } => {
                prop_assert_eq!(data, Value::Null);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_numbered_event_keeps_its_number(id in 0..1_000_000_000_000_000_u64) {
        let text = format!(r#"2{id}["a"]"#);
        match socket(&text).kind {
            SocketKind::Event { id: read, .. } => prop_assert_eq!(read, Some(id)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rubbish_never_panics(text in ".*") {
        let _ = EnginePacket::read_all(&text);
        let _ = SocketPacket::read(&text);
    }

    #[test]
    fn near_packets_never_panic(text in r#"[0-6b]{0,3}(-)?(/[a-z,?]{0,4})?[0-9]{0,20}[\[\]{}"a,:\u{1e}]{0,20}"#) {
        let _ = EnginePacket::read_all(&text);
        let _ = SocketPacket::read(&text);
    }
}
