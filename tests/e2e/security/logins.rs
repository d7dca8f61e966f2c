//! Every way to say who one is: a program that says it right is let in.

use tests::{Access, Account, Files, NatsServer, Operator, Setup};

use super::{PASSWORD, PASSWORD_CONFIG, lets_in};

#[tokio::test]
async fn a_user_and_a_password_are_taken_from_flags_a_file_and_the_address() {
    let server = NatsServer::set_up(&Setup::config(PASSWORD_CONFIG)).await;
    let (url, files) = (server.url(), Files::new());
    let user = Access::at(url).with("--user", "app");
    lets_in(
        "user and password",
        &user.clone().with("--password", PASSWORD),
        &[PASSWORD],
    )
    .await;
    let file = files.put("password", &format!("{PASSWORD}\n"));
    lets_in(
        "a password file",
        &user.with("--password-file", file),
        &[PASSWORD],
    )
    .await;
    let address = format!("nats://app:{PASSWORD}@{}", server.address());
    lets_in("the address", &Access::at(&address), &[PASSWORD]).await;
}

#[tokio::test]
async fn a_token_is_taken_from_a_flag_and_a_file() {
    const TOKEN: &str = "tok-9f8e7d6c";
    let server = NatsServer::set_up(&Setup::config(format!("authorization {{ token: {TOKEN} }}"))).await;
    let files = Files::new();
    lets_in(
        "a token",
        &Access::at(server.url()).with("--token", TOKEN),
        &[TOKEN],
    )
    .await;
    let file = files.put("token", &format!("{TOKEN}\n"));
    lets_in(
        "a token file",
        &Access::at(server.url()).with("--token-file", file),
        &[TOKEN],
    )
    .await;
}

#[tokio::test]
async fn a_user_may_have_an_nkey_without_a_jwt() {
    let (user, files) = (Account::new().user(), Files::new());
    let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public);
    let server = NatsServer::set_up(&Setup::config(config)).await;
    let seed = files.put("user.nk", &format!("{}\n", user.seed));
    lets_in(
        "an nkey",
        &Access::at(server.url()).with("--nkey", seed),
        &[&user.seed],
    )
    .await;
}

#[tokio::test]
async fn a_user_of_an_operator_has_a_creds_file_or_a_jwt_and_a_seed() {
    let (operator, account, files) = (Operator::new(), Account::new(), Files::new());
    let user = account.user();
    let server = NatsServer::set_up(&Setup::config(operator.config(&[&account]))).await;
    let secrets = [&*user.seed, &user.jwt];
    let creds = files.put("user.creds", &user.creds());
    lets_in(
        "creds",
        &Access::at(server.url()).with("--creds", creds),
        &secrets,
    )
    .await;

    let jwt = files.put("user.jwt", &user.jwt);
    let seed = files.put("user.nk", &user.seed);
    let access = Access::at(server.url()).with("--jwt", jwt).with("--seed", seed);
    lets_in("a jwt and a seed in files", &access, &secrets).await;
}
