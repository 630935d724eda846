use super::*;

fn id(key: &str) -> RecordId {
    RecordId::vactor("match", key.as_bytes()).unwrap()
}

fn ask(payload: &'static [u8], chain: &[RecordId]) -> Bytes {
    let payload = &Payload::Bytes(Bytes::from_static(payload));
    let left = Duration::from_millis(1_500);
    let id = &id("m1");
    Invocation { id, message: "place", left, is_tell: false, chain, payload }.encode().unwrap()
}

#[test]
fn an_ask_is_read_as_it_was_written() {
    let chain = [id("a"), id("b")];
    let bytes = ask(b"payload", &chain);
    assert!(is_invocation(&bytes));
    let read = Invoked::decode(&bytes).unwrap();
    assert_eq!((read.id, read.message, read.is_tell), (id("m1").as_bytes(), &b"place"[..], false));
    assert_eq!((read.left.as_millis(), &bytes[read.payload_at..]), (1_500, &b"payload"[..]));
    assert_eq!(read.chain, chain);
}

#[test]
fn an_ask_without_a_payload_and_without_a_chain_is_read() {
    let bytes = ask(b"", &[]);
    let read = Invoked::decode(&bytes).unwrap();
    assert!(read.payload_at == bytes.len() && read.chain.is_empty());
}

#[test]
fn no_part_of_an_ask_is_read_as_a_whole_one_and_none_panics() {
    let bytes = ask(b"", &[id("a")]);
    for length in 0..bytes.len() {
        assert!(Invoked::decode(&bytes[..length]).is_none(), "{length}");
    }
}

#[test]
fn every_reply_is_read_as_it_was_written() {
    let retry_after = Duration::from_millis(70);
    let chain = vec!["VActor match/a".to_owned(), "VActor match/b".to_owned()];
    for reply in [
        Reply::Done(Bytes::from_static(b"reply")),
        Reply::Done(Bytes::new()),
        Reply::NotHere,
        Reply::Failed(Rejection::HandlerFailed.into()),
        Reply::Failed(Rejection::ChangesInCrashProofTurn.into()),
        Reply::Failed(AskError::Unknown),
        Reply::Failed(AskError::Overloaded { retry_after }),
        Reply::Failed(AskError::Deadlock { chain }),
    ] {
        assert_eq!(Reply::decode(reply.encode()), Some(reply));
    }
    let done = Reply::done(&Payload::Bytes(Bytes::from_static(b"reply"))).unwrap();
    assert_eq!(Reply::decode(done), Some(Reply::Done(Bytes::from_static(b"reply"))));
    assert_eq!(Reply::decode(Bytes::from_static(&[REJECTED, 200])), None);
    assert_eq!(Reply::decode(Bytes::new()), None);
}
