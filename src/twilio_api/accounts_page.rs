//! Parses the pages of Twilio's list of an account and its subaccounts
//! (<https://www.twilio.com/docs/iam/api/account>).

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::page::next_path;
use super::{ApiError, ApiResponse, PageError};

/// The path of the first page. The page size is the maximum that Twilio allows.
pub const FIRST_ACCOUNTS_PAGE: &str = "/2010-04-01/Accounts.json?PageSize=1000";

/// One account of the list.
#[derive(Debug, Clone, Deserialize)]
pub struct ListedAccount {
    /// The SID of the account.
    pub sid: String,
    /// The account itself, if it is not a subaccount.
    pub owner_account_sid: String,
    /// The name that people call it by at Twilio.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// The state of the account.
    #[serde(default)]
    pub status: AccountStatus,
    /// `None` if Twilio does not show it to this client.
    #[serde(default)]
    pub auth_token: Option<SecretString>,
}

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// It sends and receives messages.
    Active,
    /// It is suspended, and may become active again.
    Suspended,
    /// It is closed for good.
    Closed,
    /// One that Twilio did not document when this was written.
    #[default]
    #[serde(other)]
    Other,
}

/// The accounts of one response.
#[derive(Debug)]
pub struct AccountsPage {
    /// The accounts, in Twilio's order.
    pub accounts: Vec<ListedAccount>,
    /// The path of the next page; `None` on the last.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct PageBody {
    accounts: Vec<ListedAccount>,
    next_page_uri: Option<String>,
}

impl AccountStatus {
    /// Twilio's name of it.
    pub fn name(self) -> &'static str {
        match self {
            AccountStatus::Active => "active",
            AccountStatus::Suspended => "suspended",
            AccountStatus::Closed => "closed",
            AccountStatus::Other => "other",
        }
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AccountsPage {
    /// Parses the response to a list request. No error repeats the response, which contains tokens.
    pub fn from_response(answer: &ApiResponse, base_url: &str) -> Result<Self, PageError> {
        if answer.status_code != 200 {
            return Err(PageError::Refused(ApiError::from_response(answer)));
        }
        let page: PageBody = serde_json::from_slice(&answer.body).map_err(|error| {
            // The parser's text may quote a value.
            PageError::NotAccounts { line: error.line(), column: error.column() }
        })?;
        Ok(Self { accounts: page.accounts, next: next_path(page.next_page_uri, base_url)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ApiResponse;
    use super::{AccountStatus, AccountsPage};
    use crate::domain::event::Headers;

    const TOKEN: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75e";

    fn page(body: &str) -> Result<AccountsPage, super::PageError> {
        let (url, headers) = (String::new(), Headers::new([]));
        let answer = ApiResponse { status_code: 200, url, headers, body: body.into() };
        AccountsPage::from_response(&answer, "https://api.twilio.com")
    }

    #[test]
    fn a_status_that_is_not_documented_is_no_error() {
        let account = |status: &str| {
            format!(
                r#"{{"accounts":[{{"sid":"AC1","owner_account_sid":"AC2","status":"{status}"}}]}}"#
            )
        };
        let status = |status: &str| page(&account(status)).unwrap().accounts[0].status;
        assert_eq!(status("suspended"), AccountStatus::Suspended);
        assert_eq!(status("resting"), AccountStatus::Other);
    }

    #[test]
    fn neither_an_error_nor_debug_output_repeats_a_token() {
        let wrong = format!(
            r#"{{"accounts":[{{"sid":"AC1","owner_account_sid":"{TOKEN}","status":{{"{TOKEN}":1}}}}]}}"#
        );
        let error = page(&wrong).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error}");
        let right = format!(
            r#"{{"accounts":[{{"sid":"AC1","owner_account_sid":"AC2","auth_token":"{TOKEN}"}}]}}"#
        );
        assert!(!format!("{:?}", page(&right).unwrap()).contains(TOKEN));
    }
}
