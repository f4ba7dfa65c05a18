//! Rubbish in paths and queries.

use reqwest::Method;
use telemed_tests::practice::Visit;

use super::rubbish::assert_clear;

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_paths() {
    let visit = Visit::shared().await;
    for (method, kind, rest) in [
        (Method::GET, "patients", ""),
        (Method::GET, "patients", "/appointments"),
        (Method::GET, "doctors", ""),
        (Method::GET, "clinics", ""),
        (Method::GET, "clinics", "/doctors"),
        (Method::GET, "appointments", ""),
        (Method::DELETE, "slots", ""),
        (Method::POST, "users", "/activate"),
        (Method::POST, "doctors", "/verify"),
        (Method::POST, "appointments", "/confirm"),
    ] {
        for id in [
            "0",
            "-1",
            "1.5",
            "1e3",
            "0x10",
            "echocanary",
            "99999999999999999999999",
            "%00",
            "%ff%fe",
            "1%00",
            "..%2f..%2fetc",
            "%F0%9F%98%80",
            "9223372036854775808",
            "+1",
            "%201",
            "1;drop",
            "null",
            "''",
            "1'or'1'='1",
        ] {
            let answer = visit
                .admin
                .request(method.clone(), &format!("/{kind}/{id}{rest}"))
                .send()
                .await;
            let what = format!("{method} /{kind}/{id}{rest}");
            assert_clear(&answer, &what);
            assert!(
                [400, 404, 422].contains(&answer.status),
                "{what}: {}",
                answer.status
            );
        }
        for id in ["999999999", "9223372036854775807"] {
            let answer = visit
                .admin
                .request(method.clone(), &format!("/{kind}/{id}{rest}"))
                .send()
                .await;
            answer.refused(404, "RESOURCE_NOT_FOUND");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries() {
    let visit = Visit::shared().await;
    for path in ["/doctors", "/clinics", "/slots", "/users", "/appointments"] {
        for query in [
            "skip=echocanary",
            "limit=echocanary",
            "limit=",
            "skip=",
            "limit=1&limit=2",
            "limit=%00",
            "limit=%ff",
            "skip=-9223372036854775808",
            "skip=9223372036854775808",
            "limit=1e2",
            "limit=0x10",
            "limit=%F0%9F%98%80",
            "limit=1%20",
        ] {
            let answer = visit.admin.get(&format!("{path}?{query}")).await;
            assert_clear(&answer, &format!("{path}?{query}"));
        }
        // Unknown names are ignored, and an offset beyond the end is an empty list.
        for query in [
            "echocanary=1",
            "a=b&c",
            "&&&",
            "%00=%00",
            "skip=9223372036854775807",
        ] {
            let answer = visit.admin.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 200, "{path}?{query}: {}", answer.text());
        }
    }
    for query in ["city=%00", "city=%ff", "city=echo%27%20or%201%3D1--"] {
        let answer = visit.anonymous.get(&format!("/clinics?{query}")).await;
        assert!(
            [200, 422].contains(&answer.status),
            "{query}: {}",
            answer.text()
        );
        if answer.status == 200 {
            assert!(answer.list().0.is_empty());
        }
    }
}
