//! Who a client certificate is.

use denizen_domain::id::ServiceAccountId;
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// What stands before the id in the name.
const SCHEME: &str = "spiffe://";
const KIND: &str = "service-account";

/// The service account that a verified certificate names, as a URI among its alternative names (RFC 5280 §4.2.1.6) of
/// the form of SPIFFE: `spiffe://…/service-account/{id}`. One that names several is nobody's.
pub(crate) fn program_of(certificate: &CertificateDer<'_>) -> Option<ServiceAccountId> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut named = certificate.valid_uri_names().filter_map(named_by);
    named.next().filter(|_| named.next().is_none())
}

fn named_by(uri: &str) -> Option<ServiceAccountId> {
    let (domain, path) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    let (before, id) = path.rsplit_once('/')?;
    let kind = before.rsplit_once('/').map_or(before, |(_, kind)| kind);
    (!domain.is_empty() && kind == KIND).then(|| ServiceAccountId::parse(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::named_by;

    #[test]
    fn a_name_ends_in_the_id_of_an_account() {
        const ID: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
        for (uri, is_one) in [
            (format!("spiffe://example.com/service-account/{ID}"), true),
            (format!("spiffe://example.com/prod/eu/service-account/{ID}"), true),
            (format!("spiffe:///service-account/{ID}"), false),
            (format!("spiffe://service-account/{ID}"), false),
            (format!("https://example.com/service-account/{ID}"), false),
            (format!("spiffe://example.com/user/{ID}"), false),
            (format!("spiffe://example.com/my-service-account/{ID}"), false),
            (format!("spiffe://example.com/service-account/{ID}/more"), false),
            ("spiffe://example.com/service-account/x".to_owned(), false),
        ] {
            assert_eq!(named_by(&uri).is_some(), is_one, "{uri}");
        }
    }
}
