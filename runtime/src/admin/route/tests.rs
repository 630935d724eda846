use super::*;

const ID: &str = "00112233445566778899aabbccddeeff";

fn ask(method: &str, target: &str) -> Result<Order, No> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    read(&method.parse().unwrap(), path, query)
}

#[test]
fn everything_that_is_listed_can_be_asked() {
    for (method, place) in PLACES {
        let target = place
            .replace("after=ID", &format!("after={ID}"))
            .replace("/ID", &format!("/{ID}"))
            .replace("kicked|ended", "ended")
            .replace("=N", "=7")
            .replace("TIME", "1s");
        assert!(ask(method, &target).is_ok(), "{method} {target}");
    }
}

#[test]
fn parameters_have_defaults() {
    assert_eq!(ask("GET", "/sessions"), Ok(Order::Sessions { after: None, limit: PAGE }));
    assert_eq!(ask("HEAD", "/readyz"), Ok(Order::Readiness));
    assert_eq!(ask("POST", "/maintenance"), Ok(Order::Maintain { retry_after: RETRY_AFTER }));
    assert_eq!(ask("POST", "/drain?"), Ok(Order::StartDrain { rate: None, deadline: None }));
    let deadline = Some(Duration::from_secs(90));
    assert_eq!(
        ask("POST", "/drain?deadline=90s&rate=0"),
        Ok(Order::StartDrain { rate: Some(0), deadline })
    );
    let Ok(Order::Kick { id, reason }) = ask("POST", &format!("/sessions/{ID}/kick")) else {
        panic!("no kick");
    };
    assert_eq!((id.to_string(), reason.name()), (ID.to_owned(), "kicked"));
}

#[test]
fn a_vactor_is_named_by_its_kind_and_its_key_whatever_is_in_them() {
    let id = RecordId::vactor("match", b"a/b c").unwrap();
    let path = "/vactors/match/a%2Fb%20c";
    assert_eq!(ask("GET", path), Ok(Order::LocateVActor { id: id.clone() }));
    assert_eq!(ask("POST", &format!("{path}/move?node=3")), Ok(Order::MoveVActor { id, node: 3 }));
    for wrong in ["/vactors/match/%ff/move?node=1", "/vactors/m/k/move", "/vactors/m/k/move?node=x"]
    {
        assert!(matches!(ask("POST", wrong), Err(No::Bad(_))), "{wrong}");
    }
    let long = format!("/vactors/match/{}", "k".repeat(300));
    assert!(matches!(ask("GET", &long), Err(No::Bad(_))));
}

#[test]
fn unknown_paths_are_unknown() {
    for path in
        ["", "/", "/health", "/status/", "//status", "/sessions/x", "/drain/begin", "/STATUS"]
    {
        assert_eq!(ask("GET", path), Err(No::Unknown), "{path}");
    }
}

#[test]
fn a_wrong_method_learns_the_right_one() {
    assert_eq!(ask("POST", "/status"), Err(No::Method("GET")));
    assert_eq!(ask("GET", "/announce"), Err(No::Method("POST")));
    assert_eq!(ask("GET", "/maintenance"), Err(No::Method("POST, DELETE")));
    assert_eq!(ask("DELETE", "/drain"), Err(No::Method("GET, POST")));
    assert_eq!(ask("GET", &format!("/sessions/{ID}/kick")), Err(No::Method("POST")));
    assert_eq!(ask("BREW", "/drain/stop"), Err(No::Method("POST")));
}

#[test]
fn rubbish_is_refused_with_what_was_expected() {
    for (method, target, expected) in [
        ("GET", "/sessions?after=xyz", "32 hexadecimal digits"),
        ("GET", "/sessions?limit=0", "1 to 1000"),
        ("GET", "/sessions?limit=-1", "1 to 1000"),
        ("GET", "/sessions?limit=99999999999999999999", "1 to 1000"),
        ("GET", "/sessions?limits=7", "after, limit"),
        ("GET", "/status?json", "known here: none"),
        ("POST", "/sessions/00/kick", "32 hexadecimal digits"),
        ("POST", "/sessions/%00/kick", "32 hexadecimal digits"),
        ("POST", "/maintenance?retry-after=soon", "such as 5s"),
        ("POST", "/maintenance?retry-after=48h", "0s to 1day"),
        ("POST", "/drain?deadline=0s", "1s to 1day"),
        ("POST", "/drain?rate=1000001", "0 to 1000000"),
        ("GET", "/drain?wait=1h", "0s to 5s"),
    ] {
        match ask(method, target) {
            Err(No::Bad(text)) => assert!(text.contains(expected), "{target}: {text}"),
            other => panic!("{target}: {other:?}"),
        }
    }
    let odd = format!("/sessions/{ID}/kick?reason=banned");
    assert_eq!(
        ask("POST", &odd),
        Err(No::Bad("reason is `banned`, where kicked or ended is expected".to_owned()))
    );
}
