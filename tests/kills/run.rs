//! Runs cases, and judges what became of each.

use std::process::ExitCode;
use std::sync::Arc;

use throughline_cluster::State;
use throughline_link::CloseCode;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cases::Case;
use crate::cluster::{Cluster, Gone, NODES, Of, number};
use crate::kill_at::{Moment, Order};
use crate::player::Player;
use crate::step::Step;
use crate::tally::{Answer, Wish};
use crate::world::World;

/// Cases at once: most of their time is waiting for terms, and each has four processes' threads.
const AT_ONCE: usize = 6;

/// How often a case is tried in which a node that ran was declared dead: a machine that does not
/// let a process run for a whole term does to it what the test did not mean to.
const TRIES: u32 = 3;

/// All nodes.
pub(crate) const ALL: &[usize] = &[0, 1, 2];

/// What must have become of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It goes on with its whole state.
    Kept,
    /// It ended with one of these, and both sides say so.
    Ended(&'static [CloseCode]),
}

/// It ran without a snapshot when its owner died.
pub(crate) const LOST: Fate = Fate::Ended(&[CloseCode::Lost]);

/// One case, while it is played.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    step: Step,
    moment: Moment,
    players: Vec<(Player, Fate)>,
    named: usize,
    /// What the VActor must have counted, and what that means.
    count: Option<(u64, &'static str)>,
    /// Which player's session must have received how many durable messages, and what that means.
    mail: Option<(usize, u64, &'static str)>,
}

impl Scene {
    /// A player that tries to log in at one of these nodes.
    pub(crate) fn player(&mut self, nodes: &[usize]) -> Player {
        self.named += 1;
        let is_crash_proof = self.cluster.settings.of == Of::CrashProof;
        let name = format!("player {}", self.named);
        Player::new(&name, is_crash_proof, &self.cluster.addresses, nodes)
    }

    /// A player that has a session at this node.
    pub(crate) async fn login(&mut self, node: usize) -> Player {
        let player = self.player(&[node]);
        player.plays().await;
        player
    }

    pub(crate) const fn step(&self) -> Step {
        self.step
    }

    /// These nodes die when they come to the case's step.
    pub(crate) async fn arm(&mut self, nodes: &[usize]) {
        for &node in nodes {
            self.cluster.order(node, self.step, Order::Kill(self.moment)).await;
        }
    }

    /// These nodes do not take this step until somebody has died.
    pub(crate) async fn deny(&mut self, nodes: &[usize], step: Step) {
        for &node in nodes {
            self.cluster.order(node, step, Order::Deny).await;
        }
    }

    /// Waits until one of these nodes has died at the case's step.
    pub(crate) async fn dies(&mut self, nodes: &[usize]) {
        self.cluster.died(nodes, self.step, self.moment).await;
        // The others do not follow it.
        self.goes_on().await;
    }

    /// Waits until one of these nodes has died at the case's step, and a frozen one has come back
    /// before anybody could take it for dead.
    pub(crate) async fn dies_beside(&mut self, nodes: &[usize], frozen: usize) {
        self.cluster.died(nodes, self.step, self.moment).await;
        self.cluster.thaw(frozen).await;
        self.goes_on().await;
    }

    /// Nothing is held up or denied any more.
    async fn goes_on(&mut self) {
        const DENIED: [Step; 8] = [
            Step::TurnHanded,
            Step::Park,
            Step::TakePark,
            Step::TakeHere,
            Step::TakeLost,
            Step::TakeNew,
            Step::Seize,
            Step::Mark,
        ];
        self.cluster.clear(&[&DENIED[..], &[self.step]].concat()).await;
    }

    /// This node waits when it comes to the case's step.
    pub(crate) async fn hold(&mut self, node: usize) {
        self.cluster.order(node, self.step, Order::Hold(self.moment)).await;
    }

    /// Waits until a node has come to the case's step; there `other` dies, and then it goes on.
    pub(crate) async fn sees_die(&mut self, node: usize, other: usize) {
        self.cluster.is_at(node, self.step, self.moment).await;
        self.cluster.kill(other).await;
        self.goes_on().await;
    }

    /// A node is started that dies when it joins.
    pub(crate) fn begin_armed(&mut self, node: usize) {
        self.cluster.begin(node, &[(self.step, Order::Kill(self.moment))]);
    }

    /// What becomes of a session whose owner dies while it acts.
    pub(crate) fn orphaned(&self) -> Fate {
        self.unless_lost(Fate::Kept)
    }

    /// The same, where one that is not lost has another fate than to go on.
    pub(crate) fn unless_lost(&self, fate: Fate) -> Fate {
        match self.cluster.settings.of {
            Of::CrashProof => fate,
            Of::Sessions | Of::VActor | Of::LooseVActor => LOST,
        }
    }

    /// The VActor has counted so far, and no further.
    pub(crate) const fn expect_count(&mut self, count: u64, means: &'static str) {
        self.count = Some((count, means));
    }

    /// The session of the player that is expected next receives so many durable messages, and no
    /// more.
    pub(crate) fn expect_mail(&mut self, count: u64, means: &'static str) {
        self.mail = Some((self.players.len(), count, means));
    }

    /// Which of two is right.
    pub(crate) fn by_moment<T>(&self, before: T, after: T) -> T {
        match self.moment {
            Moment::Before => before,
            Moment::After => after,
        }
    }

    /// From here on this player goes wherever it finds its session, which must have had this fate.
    pub(crate) fn expect(&mut self, player: Player, fate: Fate) {
        player.reaches(ALL);
        self.players.push((player, fate));
    }

    /// The fate that ownership gives to a session whose owner, as far as the store knows now, may
    /// be the one that has died.
    pub(crate) fn as_it_stands(&self, player: &Player) -> Fate {
        let rows = self.cluster.world.rows();
        let header = rows.header(&player.id()).expect("its record is there");
        let is_dead =
            header.owner.is_some_and(|owner| self.cluster.gone.lock().unwrap().contains(&owner));
        if is_dead && !header.state.has_snapshot() { LOST } else { Fate::Kept }
    }

    /// What must hold once the node has died. Gives what became of the players.
    async fn judge(mut self) -> Vec<String> {
        self.cluster.restart().await;
        let world = self.cluster.world.clone();
        let mut fates = Vec::new();
        for (player, fate) in &self.players {
            fates.push(match fate {
                Fate::Kept => {
                    player.is_whole().await;
                    "kept".to_owned()
                }
                Fate::Ended(codes) => {
                    let code = player.ends(codes).await;
                    let state = world.rows().header(&player.id()).map(|header| header.state);
                    let said = state.is_none_or(|state| state == State::Ended(code.number()));
                    assert!(said, "its client heard {code:?}, its record says {state:?}");
                    codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(" or ")
                }
            });
        }
        if let Some((place, count, means)) = self.mail {
            self.players[place].0.has_received(count).await;
            fates.push(means.to_owned());
        }
        // The cluster serves: a login, and a handover to each node.
        let newcomer = self.login(0).await;
        for node in 1..NODES {
            newcomer.goes_to(&[node]);
            newcomer.is_whole().await;
            let (id, owner) = (newcomer.id(), number(node));
            let at = world.rows().header(&id).and_then(|header| header.owner);
            assert_eq!(at.map(|member| member.node.0), Some(owner), "where the newcomer is");
        }
        if let Some((count, means)) = self.count {
            assert_eq!(newcomer.asks(Wish::Count).await, Answer::Is(count + 1), "the next count");
            assert_eq!(newcomer.asks(Wish::Forget).await, Answer::Is(count + 1));
            fates.push(means.to_owned());
        }
        if let Some((place, count, _)) = self.mail {
            // Also after the regular looks of that time.
            self.players[place].0.has_received(count).await;
        }
        newcomer.leaves().await;
        for (player, _) in self.players {
            player.leaves().await;
        }
        let members = self.cluster.members();
        assert_eq!(members.len(), NODES);
        let happens = "nothing is left over of the dead, and nobody owns anything";
        world.wait(happens, |rows| rows.left_over(&members).is_empty()).await;
        assert_eq!(world.rows().breaches(), [""; 0]);
        fates
    }
}

/// What became of a case.
struct Outcome {
    case: Case,
    tries: u32,
    /// What became of its players, or why it failed.
    judged: Result<Vec<String>, String>,
}

/// Runs these cases and prints a table of them.
pub(crate) fn all(cases: Vec<Case>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let outcomes = runtime.block_on(async {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        for case in cases {
            let places = Arc::clone(&places);
            running.spawn(async move {
                let _place = places.acquire().await.unwrap();
                one(case).await
            });
        }
        let mut outcomes = Vec::new();
        while let Some(outcome) = running.join_next().await {
            let outcome = outcome.unwrap();
            if let Err(failure) = &outcome.judged {
                println!("{}: {failure}\n", outcome.case.name());
            }
            outcomes.push(outcome);
        }
        outcomes.sort_by_key(|o| (o.case.place, o.case.moment == Moment::After));
        outcomes
    });
    for Outcome { case, tries, judged } in &outcomes {
        let result = if judged.is_ok() { "ok" } else { "FAILED" };
        let again = if *tries > 1 { format!(" (try {tries})") } else { String::new() };
        println!("test {} ... {result}{again}", case.name());
    }
    tell(&outcomes);
    let failed = outcomes.iter().filter(|outcome| outcome.judged.is_err()).count();
    println!("{} kills, {failed} failed", outcomes.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the tables of `docs/cluster.md`.
fn tell(outcomes: &[Outcome]) {
    for of in Of::ALL {
        let these = |o: &&Outcome| o.case.settings.of == of && o.case.moment == Moment::Before;
        let cases: Vec<_> = outcomes.iter().filter(these).map(|o| o.case).collect();
        if !cases.is_empty() {
            println!("\n{of:?}\n");
            tell_table(&cases, outcomes);
        }
    }
    println!();
}

fn tell_table(cases: &[Case], outcomes: &[Outcome]) {
    println!("| step | who is killed | before it | after it |\n|---|---|---|---|");
    for case in cases {
        let at = |moment| {
            let is_it = |o: &&Outcome| o.case.place == case.place && o.case.moment == moment;
            outcomes.iter().find(is_it).map_or_else(
                || "-".to_owned(),
                |o| match &o.judged {
                    Ok(fates) if fates.is_empty() => "nobody asks".to_owned(),
                    Ok(fates) => fates.join(", "),
                    Err(_) => "FAILED".to_owned(),
                },
            )
        };
        let (before, after) = (at(Moment::Before), at(Moment::After));
        let (number, name) = (case.step.number(), case.step.name());
        println!("| {number} {name} | {} | {before} | {after} |", case.role);
    }
}

async fn one(case: Case) -> Outcome {
    let mut tries = 0;
    loop {
        tries += 1;
        let cluster = Cluster::new(case.settings).await;
        let (world, gone) = (cluster.world.clone(), Arc::clone(&cluster.gone));
        let played = tokio::spawn(play(case, cluster)).await;
        let wronged = wronged(&world, &gone);
        let failure = match played {
            Ok(fates) => return Outcome { case, tries, judged: Ok(fates) },
            Err(failed) => format!("{}\n{}", text(failed), world.rows().told()),
        };
        if wronged.is_empty() || tries == TRIES {
            return Outcome { case, tries, judged: Err(format!("{failure}\n{wronged}")) };
        }
    }
}

async fn play(case: Case, mut cluster: Cluster) -> Vec<String> {
    let nodes: Vec<_> = (0..case.settings.nodes).collect();
    cluster.start(&nodes).await;
    let Case { step, moment, .. } = case;
    let players = Vec::new();
    let mut scene = Scene { cluster, step, moment, players, named: 0, count: None, mail: None };
    (case.situation)(&mut scene).await;
    scene.judge().await
}

/// Nodes that ran, and were declared dead all the same.
fn wronged(world: &World, gone: &Gone) -> String {
    let wronged: Vec<_> =
        world.rows().marked().difference(&gone.lock().unwrap()).map(ToString::to_string).collect();
    if wronged.is_empty() {
        return String::new();
    }
    format!("declared dead, and not killed: {}", wronged.join(", "))
}

fn text(failed: tokio::task::JoinError) -> String {
    let Ok(panic) = failed.try_into_panic() else { return "cancelled".to_owned() };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
