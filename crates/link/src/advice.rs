//! What to do about a failed connection, by the flags that both programs take.

use protocol::service::Cause;

use crate::server_error;

/// `; ` and the remedy, or nothing: the end of a message.
pub(crate) fn of(cause: &Cause) -> String {
    let remedy = match cause {
        Cause::NoLogin { .. } => "give --user and --password, --token, --creds or --nkey",
        Cause::WrongLogin { .. } => {
            "check what --user and --password, --token, --creds or --nkey, or the address, give"
        }
        Cause::RefusedAgain { .. } => {
            "check the user in the server's configuration; --auth-patience bounds this wait"
        }
        Cause::LoginEnded(_) => "renew the credentials; files of secrets are read again at each attempt",
        Cause::LoginTimedOut => {
            "check the network and the load of the server, or raise `timeout` in its `authorization`"
        }
        Cause::UnknownCa => {
            "give the CA with --tlsca FILE, or add it to the system's trust store; SSL_CERT_FILE names another store"
        }
        Cause::CaAsServer => {
            "give the server a certificate that the CA has signed, and the CA with --tlsca FILE"
        }
        Cause::NameMismatch(_) => {
            "write an address that the certificate names, or renew the certificate with this name"
        }
        Cause::Expired(_) => "renew the server's certificate, or check this machine's clock",
        Cause::NotYetValid(_) => "check the clocks of this machine and of the server",
        Cause::ClientCertificate { was_shown: false } => "give one with --tlscert FILE and --tlskey FILE",
        Cause::ClientCertificate { was_shown: true } => {
            "give one with --tlscert and --tlskey that is valid and signed by a CA that the server trusts"
        }
        Cause::KeyMismatch => "give the key that --tlscert was made with as --tlskey",
        Cause::NoTls => {
            "write nats:// in place of tls:// and leave out --tlsca, --tlscert and --tlsfirst, or turn on TLS in the server"
        }
        Cause::Silent => "add --tlsfirst if the server has `handshake_first`, else check the port",
        Cause::TrustStore(_) => {
            "correct what SSL_CERT_FILE and SSL_CERT_DIR name, or give the CA with --tlsca FILE"
        }
        Cause::NotNats => "check the address and the port",
        Cause::Unreachable(_) => "is it running? Give its address with --server or NATS_URL",
        Cause::Limit(text) | Cause::Tls(text) => return server_error::advice(text),
        _ => return String::new(),
    };
    format!("; {remedy}")
}
