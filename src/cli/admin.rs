//! `zhuxiao admin create`: makes somebody who signs in. The password comes from a file or stdin, never from a flag.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::{Common, Ended, say};
use crate::app::App;
use crate::clock::Clock;
use crate::id::Ids;
use crate::members::access::{RegionScope, Role};
use crate::members::households;
use crate::members::principals::{self, NewPrincipal, Place};
use crate::trail::Actor;

/// Bytes of a password file read at most.
const PASSWORD_FILE_BYTES_MAX: u64 = 4_096;

/// What can be done about people who sign in.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make somebody who signs in; by default the first administrator
    Create(CreateArgs),
}

/// Flags of `admin create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What they sign in with
    #[arg(long)]
    account: String,
    /// Their name
    #[arg(long)]
    name: String,
    #[arg(long, value_enum, default_value_t = RoleName::Admin)]
    role: RoleName,
    /// Region code of an officer, finance, auditor or admin, such as 341823
    #[arg(long)]
    region: Option<String>,
    /// Institution id of a buyer or approver
    #[arg(long)]
    institution: Option<Uuid>,
    /// Household id of a household
    #[arg(long)]
    household: Option<Uuid>,
    /// County of a helper, buyer, approver or household, such as 341823
    #[arg(long)]
    county: Option<String>,
    /// Phone that one-time codes are sent to; helpers and households sign in with it
    #[arg(long)]
    phone: Option<String>,
    /// They have no password and sign in with one-time codes alone
    #[arg(long, requires = "phone")]
    no_password: bool,
    /// File that holds the password [default: the first line of stdin]
    #[arg(long)]
    password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    Household,
    Helper,
    Buyer,
    Approver,
    Officer,
    Finance,
    Auditor,
    Security,
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Household => Self::Household,
            RoleName::Helper => Self::Helper,
            RoleName::Buyer => Self::Buyer,
            RoleName::Approver => Self::Approver,
            RoleName::Officer => Self::Officer,
            RoleName::Finance => Self::Finance,
            RoleName::Auditor => Self::Auditor,
            RoleName::Security => Self::Security,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Runs an `admin` command.
pub async fn run(common: &Common, command: AdminCommand) -> Result<(), Ended> {
    let AdminCommand::Create(args) = command;
    let settings = common.settings(Vec::new())?;
    super::migrate::prepare(&settings.database_url).await?;
    let app = App::open(settings, Clock::System, Ids::default()).await?;
    let password =
        if args.no_password { None } else { Some(read_password(args.password_file.as_deref()).await?) };
    let phone = args.phone.as_deref().map(households::phone).transpose();
    let phone = phone.map_err(|reason| Ended::Refused(format!("--phone: {reason}")))?;
    let (place, county_code) = place(&args)?;
    let new = NewPrincipal {
        account: args.account,
        password,
        phone,
        display_name: args.name,
        role: args.role.into(),
        place,
        county_code,
    };
    let id = principals::create(&app, &Actor::service("command_line"), new).await?;
    say(&if common.is_json() { serde_json::json!({ "id": id }).to_string() } else { id.to_string() });
    Ok(())
}

fn place(args: &CreateArgs) -> Result<(Place, Option<String>), Ended> {
    let missing = |flag: &str| Ended::Refused(format!("this role needs {flag}"));
    match Role::from(args.role) {
        Role::Household => {
            Ok((Place::Household(args.household.ok_or_else(|| missing("--household"))?), args.county.clone()))
        }
        Role::Buyer | Role::Approver => Ok((
            Place::Institution(args.institution.ok_or_else(|| missing("--institution"))?),
            args.county.clone(),
        )),
        Role::Helper => Ok((Place::Pairings, Some(args.county.clone().ok_or_else(|| missing("--county"))?))),
        Role::Officer | Role::Finance | Role::Auditor | Role::Security | Role::Admin => {
            let code = args.region.as_ref().ok_or_else(|| missing("--region"))?;
            let region = RegionScope::of(code);
            let county = region.code.get(..6).filter(|county| !county.ends_with("00")).map(str::to_owned);
            Ok((Place::Region(region.code), county))
        }
    }
}

async fn read_password(file: Option<&std::path::Path>) -> Result<String, Ended> {
    let mut text = String::new();
    match file {
        Some(path) => {
            tokio::fs::File::open(path)
                .await?
                .take(PASSWORD_FILE_BYTES_MAX)
                .read_to_string(&mut text)
                .await?;
        }
        None => {
            tokio::io::stdin().take(PASSWORD_FILE_BYTES_MAX).read_to_string(&mut text).await?;
        }
    }
    Ok(text.lines().next().unwrap_or("").to_owned())
}
