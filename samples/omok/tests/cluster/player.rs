//! A player of the tests.

use omok::Game as _;
use omok::messages::{Ask, Denial, Ending, Game, How, Joining, Seen, Tell, View};
use omok::player::Player as Session;
use omok::rules::{Point, Replayed, Stone, replay};
use throughline::prelude::Session as _;
use throughline_testing::{Player, TestCluster};

/// Black has five in a row with the last one of these; colours take turns.
pub(crate) const MOVES: &str = "h8 a1 h9 a2 h10 a3 k4 a4 h11 b8 c2 o15 h12";

pub(crate) fn cluster(nodes: usize) -> TestCluster {
    TestCluster::new(nodes, |node| node.omok())
}

/// The same with another order of things: delays, ids and backoffs follow from the seed.
pub(crate) fn seeded(nodes: usize, seed: u64) -> TestCluster {
    TestCluster::builder(nodes).seed(seed).start(|node| node.omok())
}

pub(crate) fn moves() -> Vec<Point> {
    MOVES.split(' ').map(|name| Point::parse(name).unwrap()).collect()
}

/// A player, and the view as a client keeps it.
pub(crate) struct Omok {
    pub(crate) player: Player,
    view: Option<View>,
}

impl Omok {
    /// Logs in at the node whose turn it is: the first one at node 0.
    pub(crate) fn new(cluster: &TestCluster, name: &str) -> Self {
        let login = serde_json::to_vec(&Joining { name: name.to_owned() }).unwrap();
        let mut omok = Self { player: cluster.player_of(Session::KIND, login), view: None };
        omok.until(|view| view.place == Seen::Lobby);
        omok
    }

    pub(crate) fn ask(&mut self, ask: Ask) {
        self.player.send(&ask);
    }

    /// Hears one thing, and keeps the view.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> Tell {
        let tell: Tell = self.player.receive();
        if let Tell::View(view) = &tell {
            self.view = Some(view.clone());
        }
        let place = self.view.as_mut().map(|view| &mut view.place);
        if let Some(Seen::Game(game)) = place {
            apply(game, &tell);
        }
        tell
    }

    /// Hears on until the view is so.
    #[track_caller]
    pub(crate) fn until(&mut self, is_so: impl Fn(&View) -> bool) -> View {
        loop {
            if let Some(view) = self.view.as_ref().filter(|view| is_so(view)) {
                return view.clone();
            }
            self.hear();
        }
    }

    /// Hears on until this is told.
    #[track_caller]
    pub(crate) fn until_told(&mut self, is_it: impl Fn(&Tell) -> bool) -> Tell {
        loop {
            let tell = self.hear();
            if is_it(&tell) {
                return tell;
            }
        }
    }

    #[track_caller]
    pub(crate) fn game(&mut self, is_so: impl Fn(&Game) -> bool) -> Game {
        let view = self.until(|view| matches!(&view.place, Seen::Game(game) if is_so(game)));
        match view.place {
            Seen::Game(game) => game,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn code(&mut self) -> String {
        let view = self.until(|view| matches!(view.place, Seen::Waiting { code: Some(_) }));
        match view.place {
            Seen::Waiting { code } => code.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn refused(&mut self) -> Denial {
        match self.until_told(|tell| matches!(tell, Tell::Refused { .. })) {
            Tell::Refused { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }
}

/// What a client makes of what it is told: a move that is missing or comes twice fails the test.
#[track_caller]
fn apply(game: &mut Game, tell: &Tell) {
    match tell {
        Tell::Placed { number, at, stone, turn } => {
            assert_eq!(*number, game.moves.len() + 1, "lost or twice");
            assert_eq!(*stone == Stone::Black, number % 2 == 1);
            game.moves.push(*at);
            game.turn = *turn;
        }
        Tell::Over(ending) => {
            assert_eq!(game.over, None, "it was over before");
            (game.turn, game.over) = (None, Some(ending.clone()));
        }
        Tell::RematchOffered { by } => game.rematch = Some(*by),
        Tell::PartnerLeft => game.partner_left = true,
        Tell::MatchMoved { node } => game.match_node = *node,
        _ => {}
    }
}

/// Two players in a match, black first.
pub(crate) fn pair(cluster: &TestCluster) -> [Omok; 2] {
    let [mut ann, mut ben] = ["ann", "ben"].map(|name| Omok::new(cluster, name));
    ann.ask(Ask::CreateCode);
    let code = ann.code();
    ben.ask(Ask::JoinCode { code });
    assert_eq!(ben.game(|_| true).mine, Stone::White);
    assert_eq!(ann.game(|_| true).mine, Stone::Black);
    [ann, ben]
}

/// Whoever's turn it is places the next of [`moves`]; both see it.
#[track_caller]
pub(crate) fn one_move(players: &mut [Omok; 2], number: usize) {
    let at = moves()[number - 1];
    players[(number + 1) % 2].ask(Ask::Place { x: at.x(), y: at.y(), number });
    for player in players.iter_mut() {
        player.game(|game| game.moves.len() >= number);
    }
}

/// The game is over, as its moves say: both have seen all of them, once.
#[track_caller]
pub(crate) fn both_see_black_win(players: &mut [Omok; 2]) {
    for player in players.iter_mut() {
        let game = player.game(|game| game.over.is_some());
        assert_eq!(game.moves, moves());
        assert_eq!(replay(&game.moves), Ok(Replayed::Won(Stone::Black)));
        let Some(Ending { winner, how, .. }) = game.over else { panic!("it is over") };
        assert_eq!((winner, how), (Some(Stone::Black), How::Five));
    }
}
