//! A receiver of pushes that reads each request to its end and accepts it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::Context;
use serde_json::json;

/// Read pushes over HTTP, and answer each with 200
///
/// Prints its port when it is ready, and runs until it is ended. Bodies need a length.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    println!(
        "{}",
        json!({"ready": true, "port": listener.local_addr()?.port()})
    );
    for stream in listener.incoming() {
        let stream = stream.context("failed to accept a connection")?;
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

/// Answers the requests of one connection until its end.
fn answer(stream: TcpStream) -> anyhow::Result<()> {
    let mut out = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while requests.read_line(&mut line)? > 0 && line != "\r\n" {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        std::io::copy(&mut requests.by_ref().take(length), &mut std::io::sink())?;
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}
