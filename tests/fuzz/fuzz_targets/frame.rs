//! Any bytes as a stream of frames: what is read is written and read again the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline_link::{Frame, Split, defaults::MAX_FRAME, split};

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Split::Whole { kind, body, bytes }) = split(rest, MAX_FRAME) {
        rest = &rest[bytes..];
        let Ok(frame) = Frame::read(kind, body) else { continue };
        look_into(&frame);
        let mut written = Vec::new();
        frame.write(&mut written);
        let Ok(Split::Whole { kind, body, bytes }) = split(&written, u32::MAX) else {
            panic!("{frame:?} was not written whole");
        };
        assert_eq!(bytes, written.len());
        assert_eq!(Frame::read(kind, body), Ok(frame.clone()));
        let mut again = Vec::new();
        frame.write(&mut again);
        assert_eq!(again, written);
    }
});

/// Everything that can be asked of a frame answers, within its limits.
fn look_into(frame: &Frame<'_>) {
    match frame {
        Frame::Hello(hello) => {
            assert!((1..=64).contains(&hello.kind.len()));
            let _ = hello.game_version();
            assert!(hello.extensions.iter().count() <= 16);
        }
        Frame::Resume(resume) => {
            let _ = resume.game_version();
            assert!(resume.extensions.iter().count() <= 16);
            assert!(!resume.is_proved(&throughline_link::Secret([0xA7; 32])));
        }
        Frame::Welcome(welcome) => {
            let _ = welcome.address();
            assert_eq!(welcome.resumed, welcome.secret.is_none());
        }
        Frame::Refused(refused) => {
            let _ = refused.game_code();
            assert!(refused.elsewhere().count() <= 8);
            assert!(refused.text.len() <= 1_024);
        }
        Frame::Restarting(restarting) => assert!(restarting.addresses.iter().count() <= 8),
        Frame::Close(close) => assert!(close.text.len() <= 1_024),
        _ => {}
    }
}
