//! `omok play`: the game in a terminal.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, Command};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::messages::{Ask, Ending, Game, How, Seen, Tell, View};
use crate::remote::{News, Remote, RemoteError};
use crate::rules::{Point, SIZE, Stone};

/// The player is told once when only so much of the turn is left.
const HURRY: Duration = Duration::from_secs(10);
const HELP: &str = "In the lobby: bot, find, code, join CODE, stop.  In a game: h8, resign, look, \
    leave.  After it: rematch, leave.  Always: cut, retry, quit.";

pub fn main() -> ExitCode {
    let user = std::env::var("USER").unwrap_or_default();
    let matches = Command::new("omok play")
        .about("Plays omok in the terminal")
        .no_binary_name(true)
        .arg(Arg::new("node").long("node").default_value("127.0.0.1:7778").help("host:port"))
        .arg(Arg::new("name").long("name").default_value(if user.is_empty() {
            "player".to_owned()
        } else {
            user
        }))
        .get_matches_from(std::env::args().skip(2));
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();

    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("omok: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let played = runtime.block_on(play(&text("node"), &text("name")));
    // A read of the terminal cannot be taken back, and must not keep the program.
    runtime.shutdown_background();
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("omok: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(node: &str, name: &str) -> Result<(), RemoteError> {
    let mut remote = Remote::connect(&[node.to_owned()], name).await?;
    println!("{HELP}");
    let mut lines = BufReader::new(stdin()).lines();
    let mut hurried = None;
    loop {
        let turn = remote.view().to_move().and_then(|game| game.turn);
        let hurry = turn.filter(|&turn| hurried != Some(turn));
        let wait = hurry.map_or(Duration::MAX, |turn| remote.left(turn).saturating_sub(HURRY));
        tokio::select! {
            news = remote.next() => tell(&remote, news?),
            line = lines.next_line() => {
                // The end of the input is the end of the game.
                let line = line.ok().flatten().unwrap_or_else(|| "quit".to_owned());
                match line.trim() {
                    "" => {}
                    "quit" => break,
                    "cut" => remote.cut(),
                    "retry" => remote.retry(),
                    line => match read(line, remote.view()) {
                        Some(ask) => remote.ask(&ask).await?,
                        None => println!("{HELP}"),
                    },
                }
            }
            () = tokio::time::sleep(wait), if hurry.is_some() => {
                hurried = hurry;
                println!("{} s left", HURRY.as_secs());
            }
        }
    }
    remote.leave().await;
    Ok(())
}

/// What a line asks for; `None` if it is none of the words.
fn read(line: &str, view: &View) -> Option<Ask> {
    Some(match line.split_once(' ').unwrap_or((line, "")) {
        ("bot", "") => Ask::PlayBot,
        ("find", "") => Ask::FindPartner,
        ("code", "") => Ask::CreateCode,
        ("join", code) => Ask::JoinCode { code: code.trim().to_owned() },
        ("stop", "") => Ask::StopWaiting,
        ("resign", "") => Ask::Resign,
        ("rematch", "") => Ask::Rematch,
        ("leave", "") => Ask::Leave,
        ("look", "") => Ask::Look,
        _ => {
            let at = Point::parse(line)?;
            // Without a game it is refused, and the player reads why.
            let number = view.game().map_or(1, |game| game.moves.len() + 1);
            Ask::Place { x: at.x(), y: at.y(), number }
        }
    })
}

fn tell(remote: &Remote, news: News) {
    match news {
        News::RepairStarted => println!("repairing.."),
        News::Repaired(after) => println!("repaired after {} ms", after.as_millis()),
        News::RepairFailed => println!("The connection is still broken: retry, or quit."),
        News::Told(Tell::Refused { text, .. }) => println!("Sorry: {text}."),
        News::Told(Tell::PartnerLeft) => println!("Your partner has left: leave."),
        News::Told(Tell::MatchMoved { node }) => println!("    ~ the match goes on at n{node} ~"),
        News::Told(Tell::MatchClosed) => println!("This match was closed: nothing happened in it."),
        News::Told(Tell::Crowd { looking }) => println!("Looking for a partner: {looking}."),
        News::Told(Tell::Announced { text }) => println!("Announcement: {}", printable(&text)),
        News::Told(Tell::RematchOffered { by }) => {
            let mine = remote.view().game().is_some_and(|game| game.mine == by);
            println!("{}", if mine { "Asked." } else { "Your partner offers a rematch: rematch?" });
        }
        News::Told(Tell::View(_) | Tell::Placed { .. } | Tell::Over(_)) => {
            let node = remote.view().node;
            match &remote.view().place {
                Seen::Lobby => println!("In the lobby of n{node}: bot, find, code, join CODE."),
                Seen::Waiting { code: None } => println!("Looking for a partner.."),
                Seen::Waiting { code: Some(code) } => println!("Waiting. The code is {code}."),
                Seen::Game(game) => print!("{}", draw(game, remote)),
            }
        }
    }
}

fn draw(game: &Game, remote: &Remote) -> String {
    let mut text = board(game);
    let (black, white) = (&game.black, &game.white);
    text += &format!("\n    X {black}   O {white}   you are {}", mark(game.mine));
    text += &format!(", at n{}; the match is at n{}\n", remote.view().node, game.match_node);
    text += &match (&game.over, game.turn) {
        (Some(ending), _) => format!("    {}: rematch, leave\n", result(game, ending)),
        (None, Some(turn)) => {
            let seconds = remote.left(turn).as_millis().div_ceil(1000);
            let whose = if turn.stone == game.mine { "your move" } else { "their move" };
            format!("    {whose}, {seconds} s left\n")
        }
        (None, None) => String::new(),
    };
    text
}

/// What others wrote must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The board with its coordinates; the last stone in brackets.
fn board(game: &Game) -> String {
    let stones = game.board();
    let mut text = String::from("\n");
    for y in 0..SIZE {
        text += &format!("  {:2} ", SIZE - y);
        for at in (0..SIZE).filter_map(|x| Point::new(x, y)) {
            let stone = stones.at(at).map_or('.', mark);
            let before = match game.moves.last() {
                Some(&last) if last == at => '(',
                Some(&last) if last.step((1, 0), 1) == Some(at) => ')',
                _ => ' ',
            };
            text.push(before);
            text.push(stone);
        }
        let at_edge = |last: &&Point| last.x() == SIZE - 1 && last.y() == y;
        text += if game.moves.last().filter(at_edge).is_some() { ")\n" } else { "\n" };
    }
    text + "     " + &('a'..='o').map(|column| format!(" {column}")).collect::<String>() + "\n"
}

const fn mark(stone: Stone) -> char {
    match stone {
        Stone::Black => 'X',
        Stone::White => 'O',
    }
}

fn result(game: &Game, ending: &Ending) -> String {
    let how = match ending.how {
        How::Five => "five in a row",
        How::BoardFull => "the board is full",
        How::Resigned => "resigned",
        How::Time => "out of time",
        How::Left => "left",
        How::Away => "did not come back in time",
    };
    match ending.winner {
        None => format!("A draw ({how})"),
        Some(winner) if winner == game.mine => format!("You win ({how})"),
        Some(_) => format!("You lose ({how})"),
    }
}

#[cfg(test)]
mod tests;
