//! The lobby: who waits for a partner, and who waits with a private code.

use std::collections::BTreeMap;

use throughline::prelude::SessionId;

use crate::matches::Guest;
use crate::messages::Denial;

/// Letters of a private code: none that is taken for another when read aloud or by hand.
const LETTERS: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Short enough to say on the phone.
const CODE_LEN: usize = 5;
/// Too many to try.
const CODES: u128 = 24_u128.pow(CODE_LEN as u32);

/// Those who wait. A session waits in one place at most, so that the node's limit of sessions
/// bounds the lobby, too.
#[derive(Debug)]
pub struct Lobby {
    partner: Option<Guest>,
    codes: BTreeMap<String, Guest>,
}

impl Lobby {
    pub const fn new() -> Self {
        Self { partner: None, codes: BTreeMap::new() }
    }

    /// Whoever waited for a partner; if nobody did, `guest` waits from now on.
    pub fn find_partner(&mut self, guest: Guest) -> Option<Guest> {
        let waited = self.partner.take();
        if waited.is_none() {
            self.partner = Some(guest);
        }
        waited
    }

    /// Lets `guest` wait with a code of its own.
    pub fn create_code(&mut self, guest: Guest) -> String {
        let code = self.free_code(guest.session);
        self.codes.insert(code.clone(), guest);
        code
    }

    /// Lets `guest` wait again, as at another node: with the same code, unless that is in use here.
    pub fn keep_code(&mut self, code: String, guest: Guest) -> String {
        if self.codes.contains_key(&code) {
            return self.create_code(guest);
        }
        self.codes.insert(code.clone(), guest);
        code
    }

    /// Whoever waits with this code. Case and blanks at its ends do not matter.
    pub fn join_code(&mut self, code: &str) -> Result<Guest, Denial> {
        self.codes.remove(&code.trim().to_ascii_uppercase()).ok_or(Denial::NoSuchCode)
    }

    /// Takes a session out; `false` if it did not wait, or a partner has been found meanwhile.
    pub fn withdraw(&mut self, session: SessionId) -> bool {
        let before = self.len();
        self.partner.take_if(|guest| guest.session == session);
        self.codes.retain(|_, guest| guest.session != session);
        self.len() < before
    }

    fn len(&self) -> usize {
        usize::from(self.partner.is_some()) + self.codes.len()
    }

    /// A session id is random, so a code is read off it; the next free one if that is in use.
    fn free_code(&self, session: SessionId) -> String {
        let id = u128::from_str_radix(&session.to_string(), 16).unwrap_or(0);
        let mut number = (id % CODES) as u32;
        // Ends: there are far more codes than a node has sessions.
        while self.codes.contains_key(&code(number)) {
            number = (number + 1) % CODES as u32;
        }
        code(number)
    }
}

fn code(mut number: u32) -> String {
    let mut letter = || {
        let letter = LETTERS[(number % 24) as usize];
        number /= 24;
        char::from(letter)
    };
    (0..CODE_LEN).map(|_| letter()).collect()
}
