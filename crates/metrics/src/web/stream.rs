//! `/api/v1/stream` and `/live`: a screen as it changes, as server-sent events. The first has data, the other the parts of a
//! page.

#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use web::{Endless, pieces};

use super::App;
use crate::page::Form;
use crate::view::{Ask, AskError, Kind};

pub(super) async fn data(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    follow(&app, query.as_deref(), Form::Json)
}

pub(super) async fn page(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    follow(&app, query.as_deref(), Form::Html)
}

fn follow(app: &App, query: Option<&str>, form: Form) -> Response {
    let ask = match asked(query.unwrap_or_default()) {
        Ok(ask) => ask,
        Err(reason) => return (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response(),
    };
    let follower = app.pages.follow(&ask, form);
    let stop = app.stop.clone();
    let events = stream::unfold(follower, |mut follower| async move {
        // An error is in the log; a client comes back.
        let event = follower.next().await?.ok()?;
        Some((event, follower))
    });
    let events = events.take_until(async move { stop.cancelled().await });
    let parts = events.flat_map(|event| stream::iter(pieces(event).map(Ok::<_, std::convert::Infallible>)));
    let mut response = Response::new(Body::from_stream(parts));
    response.extensions_mut().insert(Endless);
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/event-stream");
    set(header::CACHE_CONTROL, "no-store");
    // Whatever a proxy does to pages, it is to pass events on at once.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Which screen is to be followed: `screen` names it, and the rest is as in its own address.
fn asked(query: &str) -> Result<Ask, String> {
    let (named, rest): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .partition(|pair| pair.split('=').next() == Some("screen"));
    let kind = match named[..] {
        [] => Kind::Overview,
        [one] => {
            let name = one.split_once('=').map_or("", |(_, name)| name);
            Kind::named(name).ok_or_else(|| {
                let known = Kind::ALL.map(Kind::name).join(", ");
                format!("{name:?} is not a screen; the screens are {known}")
            })?
        }
        _ => return Err(AskError::Twice("screen".to_owned()).to_string()),
    };
    let ask = Ask::read(kind, &rest.join("&")).map_err(|error| error.to_string())?;
    Ok(ask)
}
