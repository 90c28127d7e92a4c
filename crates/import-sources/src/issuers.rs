//! Issuers of outside providers, by the names that other systems give them. The presets of `docs/providers.md` use the
//! same issuers.

/// The preset and the issuer of a provider: `google-oauth2` (Auth0), `google.com` (Firebase), `oauth_google` (Clerk),
/// `Google` (Cognito), `google` (Supabase, Django, Keycloak, Kratos) and the like.
///
/// `None` for Microsoft and Slack: their issuer or subject depends on the tenant, which the exports do not contain.
pub(crate) fn known(name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("oauth_").unwrap_or(&name);
    let name = name.strip_suffix(".com").unwrap_or(name);
    let known = match name {
        "google" | "google-oauth2" | "google_oauth2" | "googleplus" => ("google", "https://accounts.google.com"),
        "apple" | "signinwithapple" | "sign_in_with_apple" => ("apple", "https://appleid.apple.com"),
        "facebook" => ("facebook", "https://www.facebook.com"),
        "github" => ("github", "https://github.com"),
        "gitlab" => ("gitlab", "https://gitlab.com"),
        "bitbucket" | "bitbucket_oauth2" => ("bitbucket", "https://bitbucket.org"),
        "discord" => ("discord", "https://discord.com"),
        "amazon" | "loginwithamazon" => ("amazon", "https://www.amazon.com"),
        "linkedin" | "linkedin_oauth2" | "linkedin_oidc" | "linkedin-openid-connect" => {
            ("linkedin", "https://www.linkedin.com/oauth")
        }
        "notion" => ("notion", "https://api.notion.com"),
        "spotify" => ("spotify", "https://accounts.spotify.com"),
        "twitch" => ("twitch", "https://id.twitch.tv/oauth2"),
        "twitter" | "twitter_oauth2" | "x" => ("x", "https://x.com"),
        "zoom" => ("zoom", "https://zoom.us"),
        _ => return None,
    };
    Some(known)
}
