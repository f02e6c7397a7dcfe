//! Addresses, methods and parameters that lead nowhere.

use super::Target;
use crate::support::specs;

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let target = Target::with_bot(&[]).await;
    let long = format!("/bots/{}", "a".repeat(300));
    for path in [
        "/nothing",
        "/bots/",
        "//bots",
        "/bots//",
        "/bots/..",
        "/bots/../auth/me",
        "/bots/%2e%2e/auth/me",
        "/bots/%2e%2e%2fauth%2fme",
        "/bots/%00",
        "/bots/a-bot%00",
        "/bots/%ff",
        "/bots/%zz",
        "/bots/A-BOT",
        "/bots/a-bot;x=1",
        &long,
        "/tasks/not-a-uuid",
        "/tasks/00000000-0000-0000-0000-000000000000",
        "/deployments/1",
        "/projects/1/tokens",
        "/projects/00000000-0000-0000-0000-000000000000/members",
        "/revisions/xyz",
        "/spec/99999999999999999999?botId=a-bot",
        "/spec/-1?botId=a-bot",
        "/spec/0x1?botId=a-bot",
        "/spec/1?botId=a-bot",
        "/spec/latest?botId=%ff",
        "/spec/latest?botId=b-bot",
        "/problems/..%2f..%2fREADME",
        "/problems/nothing",
    ] {
        let answer = target.get(path).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        answer.problem();
    }
}

#[tokio::test]
async fn methods_that_do_not_fit() {
    let target = Target::with_bot(&[]).await;
    assert_eq!(
        target
            .post("/spec", specs::chain("a-bot", "1").to_string())
            .await
            .status,
        201
    );
    for (line, allowed) in [
        ("PUT /bots", "POST"),
        ("PATCH /bots", "GET"),
        ("PUT /spec/1?botId=a-bot", "GET"),
        ("DELETE /spec/1?botId=a-bot", "GET"),
        ("POST /healthz", "GET"),
        ("BREW /bots", "GET"),
    ] {
        let answer = target.send(line, "", "").await;
        answer.refused(405, "method-not-allowed", line);
        assert!(answer.header("allow").contains(allowed), "{line}: {answer:?}");
    }
    let head = target.send("HEAD /bots", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let head = target.send("HEAD /nothing", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    let options = target.send("OPTIONS /bots", "", "").await;
    assert_eq!((options.status, options.body.as_str()), (204, ""));
    assert!(options.header("allow").contains("POST"), "{options:?}");
    // A caller who wants another format gets what there is; the answer says what it is.
    let xml = target.send("GET /bots", "Accept: application/xml\r\n", "").await;
    assert_eq!(
        (xml.status, xml.header("content-type")),
        (200, "application/json")
    );
}

#[tokio::test]
async fn parameters_that_cannot_be() {
    let target = Target::with_bot(&[]).await;
    for list in [
        "/bots?",
        "/spec?botId=a-bot&",
        "/revisions?botId=a-bot&",
        "/deployments?botId=a-bot&",
        "/audit?",
    ] {
        for bad in [
            "limit=0",
            "limit=-1",
            "limit=1e9",
            "limit=1000000000",
            "limit=abc",
            "limit=",
            "limit=1&limit=2",
            "cursor=",
            "cursor=%00",
            "cursor=%ff",
        ] {
            let answer = target.get(&format!("{list}{bad}")).await;
            answer.refused(400, "invalid-parameter", &format!("{list}{bad}"));
        }
        for cursor in ["forged", "AAAA", "..%2f", "9999999999999999999999", "%27--"] {
            let answer = target.get(&format!("{list}cursor={cursor}")).await;
            assert!(matches!(answer.status, 200 | 400), "{list}{cursor}: {answer:?}");
        }
    }
    for path in [
        "/spec",
        "/spec/latest",
        "/revisions",
        "/events",
        "/spec/diff?botId=a-bot&from=x&to=1",
        "/spec/diff?botId=a-bot",
    ] {
        let answer = target.get(path).await;
        answer.refused(400, "invalid-parameter", path);
    }
}
