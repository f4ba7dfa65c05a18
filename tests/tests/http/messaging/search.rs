//! Words, found in sealed texts.

use super::*;

async fn found(client: &Client, query: &[(&str, &str)]) -> Vec<Value> {
    let query: String = url(query);
    let data = ok(
        &get(client, &format!("/messages/search?{query}")).await,
        200,
    );
    each(&data["messages"], "message")
}

/// A query with every byte that is not plain written as such.
fn url(pairs: &[(&str, &str)]) -> String {
    let quoted =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let pairs = pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", quoted(value)))
        .collect();
    pairs.join("&")
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_their_beginnings_are_found() {
    let talk = Talk::open().await;
    let (patient, doctor) = (talk.patient(), talk.doctor());
    for text in [
        "Paracetamol, twice a day",
        "زرتُ مُستشفى الخرطوم",
        "no fever since Monday",
    ] {
        talk.say(&patient, text).await;
    }
    talk.say(&doctor, "then half a paracetamol").await;
    for (query, expected) in [
        (
            "paracetamol",
            &["then half a paracetamol", "Paracetamol, twice a day"][..],
        ),
        ("PARAC twice", &["Paracetamol, twice a day"]),
        ("cetamol", &[]),
        ("مستشفي", &["زرتُ مُستشفى الخرطوم"]),
        ("no", &["no fever since Monday"]),
        ("fe", &[]),
        ("fev", &["no fever since Monday"]),
        ("<script>", &[]),
    ] {
        for client in [&patient, &doctor] {
            assert_eq!(found(client, &[("q", query)]).await, expected, "{query}");
            let inside = [("q", query), ("conversation_id", talk.id.as_str())];
            assert_eq!(found(client, &inside).await, expected, "{query}");
        }
    }
    let outsider = talk.outsider().await;
    assert!(found(&outsider, &[("q", "paracetamol")]).await.is_empty());
    for query in ["", "q=", "q=%20%20", "q=%3F%21"] {
        names(
            &get(&patient, &format!("/messages/search?{query}")).await,
            "q",
        );
    }
    names(
        &get(&patient, "/messages/search?q=x&conversation_id=here").await,
        "conversation_id",
    );
}
