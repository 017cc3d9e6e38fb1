//! The list of an account's subaccounts, page by page from Twilio.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use time::OffsetDateTime;

use super::{SUBACCOUNTS_MAX, Subaccount, Subaccounts};
use crate::domain::{AccountSid, Timestamp};
use crate::twilio_api::{
    AccountsPage, ApiError, Client, Credentials, FIRST_ACCOUNTS_PAGE, ListedAccount, PageError,
    RequestError,
};

/// The maximum number of requests for one list, repetitions included: as many as [`SUBACCOUNTS_MAX`]
/// need if Twilio ignores the requested size of a page and uses its own of 50.
pub const REQUESTS_MAX: u64 = SUBACCOUNTS_MAX as u64 / 50 + 1;

/// The reason a list could not be fetched. No error contains a token.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum ListError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(
        "Twilio refuses the list (HTTP {}{}): the account's auth token is wrong, or the account is \
         itself a subaccount", .0.status_code, words(.0)
    )]
    NotAllowed(ApiError),
    #[error(
        "{0} has more than {SUBACCOUNTS_MAX} subaccounts; give those that matter sections of their own"
    )]
    TooMany(AccountSid),
    #[error(
        "Twilio's list does not contain {0} itself, so its subaccounts are not in it; is it one itself?"
    )]
    WithoutParent(AccountSid),
    #[error("Twilio lists {0} subaccounts, all of them without auth tokens")]
    NoTokens(usize),
}

fn words(refusal: &ApiError) -> String {
    refusal.words().map_or(String::new(), |words| format!(", {words}"))
}

/// Fetches the subaccounts of the account with these credentials, and counts those that are listed
/// without a token, which are left out.
pub fn fetch(
    client: &Client,
    parent: &AccountSid,
    who: &Credentials,
) -> Result<(Subaccounts, usize), ListError> {
    let fetched_at = Timestamp::from(OffsetDateTime::now_utc());
    let (mut each, mut listed, mut has_parent) = (Vec::new(), BTreeSet::new(), false);
    let mut next = Some(FIRST_ACCOUNTS_PAGE.to_owned());
    while let Some(path) = next {
        let answer = client.get(who, &path)?;
        let page = match AccountsPage::from_response(&answer, &client.url("")) {
            Err(PageError::Refused(refusal)) if matches!(refusal.status_code, 401 | 403) => {
                return Err(ListError::NotAllowed(refusal));
            }
            page => page?,
        };
        let is_own = |account: &ListedAccount| account.owner_account_sid == parent.as_str();
        let is_parent = |account: &ListedAccount| account.sid == parent.as_str();
        has_parent |= page.accounts.iter().any(|account| is_parent(account) && is_own(account));
        let below = page.accounts.into_iter();
        let below = below.filter(|account| is_own(account) && !is_parent(account));
        for account in below {
            // A page may repeat what the last one ended with.
            if listed.insert(account.sid.clone()) {
                each.extend(subaccount(account));
            }
        }
        if listed.len() > SUBACCOUNTS_MAX {
            return Err(ListError::TooMany(parent.clone()));
        }
        next = page.next;
    }
    // An empty list would remove all subaccounts that are in use.
    if !has_parent {
        return Err(ListError::WithoutParent(parent.clone()));
    }
    match listed.len() - each.len() {
        left_out if left_out > 0 && each.is_empty() => Err(ListError::NoTokens(left_out)),
        left_out => Ok((Subaccounts { fetched_at, each }, left_out)),
    }
}

/// A subaccount; `None` if it has no token. Anyone can sign with an empty one.
fn subaccount(listed: ListedAccount) -> Option<Subaccount> {
    let ListedAccount { sid, friendly_name: name, status, auth_token, .. } = listed;
    let sid = AccountSid::parse(&sid)?;
    let auth_token = auth_token.filter(|token| !token.expose_secret().is_empty())?;
    Some(Subaccount { sid, name, status, auth_token })
}
