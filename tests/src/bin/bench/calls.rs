//! How long it takes until two pages of a real browser see each other: through our server, and
//! beside it the same two connections between the same pages without one.

use serde_json::{Value, json};
use telemed_tests::clients::Browser;

use crate::Options;
use crate::report::{Figures, goal, ratio};
use crate::sockets::house::House;
use crate::sockets::load;

/// The two pages.
const PAGES: [&str; 2] = ["patient", "doctor"];

/// Runs and prints the comparison.
pub async fn run(options: &Options) {
    let made = tempfile::tempdir().expect("a folder");
    let folder = options.folder.as_deref().unwrap_or(made.path());
    let folder = folder.join(format!("bench-{}", std::process::id()));
    println!("Databases in {}; the load is {}", folder.display(), load());
    println!(
        "\nCalls: from the beginning until both see each other, {} rounds (median, least to most)",
        options.rounds
    );
    let house = House::make(folder.join("house"), 1, 0).await;
    let server = house.serve();
    let talk = &house.talks[0];
    let mut browser = Browser::start().await;
    for (page, person) in PAGES.into_iter().zip([&talk.patient, &talk.doctor]) {
        browser.open(page).await;
        let sign_in = json!([{
            "url": format!("http://127.0.0.1:{}", server.port),
            "token": person.token,
            "answers": true,
        }]);
        browser.run(page, "signIn", sign_in).await;
    }
    let (mut ours, mut bare) = (Figures::new(), Figures::new());
    // A round of each before, which does not count.
    for round in 0..=options.rounds {
        let call = json!([{"callee_id": talk.doctor.id.get(), "call_type": "video"}]);
        let placed = browser.run("patient", "place", call).await;
        let with = shown_after(&mut browser, &placed).await;
        browser.run("patient", "hangUp", json!([])).await;
        for page in PAGES {
            browser.told(page, "call:ended").await;
        }
        for page in PAGES {
            browser.run(page, "pair", json!([])).await;
        }
        let placed = browser.run("patient", "placePaired", json!([])).await;
        let without = shown_after(&mut browser, &placed).await;
        for page in PAGES {
            browser.run(page, "unpair", json!([])).await;
        }
        if round > 0 {
            ours.add(with);
            bare.add(without);
        }
    }
    browser.close().await;
    println!("{:<18}{}", "ours", ours.shown("ms"));
    println!("{:<18}{}", "without a server", bare.shown("ms"));
    let share = ratio(&ours, &bare).median();
    goal("a call, of its media alone", share, 1.3, true, "");
    println!("\nThe load is {}", load());
    let _ = std::fs::remove_dir_all(folder);
}

/// Milliseconds until the second of the two sees the other.
async fn shown_after(browser: &mut Browser, placed: &Value) -> f64 {
    let mut last = f64::MIN;
    for page in PAGES {
        let shown = browser.told(page, "shown").await;
        last = last.max(shown["at"].as_f64().expect("a time"));
    }
    last - placed["began"].as_f64().expect("a time")
}
