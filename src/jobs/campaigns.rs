//! A campaign given by name is resolved once and pinned by its number; when name and number part ways,
//! the route stops (users 30): next year's list must not fill this year's campaign.

use super::{JobError, stops};
use crate::dialler::{Campaign, CampaignRef, DiallerRead};
use crate::domain::policy::CampaignChange;
use crate::domain::{CampaignId, PinnedCampaign, Reason, ReasonCode, RouteName};
use crate::ledger::{Ledger, RouteRow, StandsThere};
use crate::remote::CallError;

/// A route and the campaign its config names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCampaign {
    /// The route.
    pub route: RouteName,
    /// As configured.
    pub campaign: CampaignRef,
    /// What becomes of the contacts in the campaign that it had before.
    pub change: CampaignChange,
}

/// What a look at the dialler's campaigns says about one route.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Pin(PinnedCampaign),
    Fine(CampaignId),
    /// The config names another one than before.
    Changed(PinnedCampaign, Reason),
    Stop(Reason),
}

/// Pins what is not pinned and checks what is. A route whose campaign cannot be told is stopped; one that
/// was stopped for it and is well again goes on.
///
/// # Errors
/// The dialler or the ledger cannot be used.
pub async fn pin_campaigns(
    ledger: &Ledger,
    dialler: &dyn DiallerRead,
    wanted: &[WantedCampaign],
) -> Result<(), JobError> {
    let campaigns = dialler.campaigns().await?;
    for want in wanted {
        let Some(row) = ledger.route_show(want.route.clone()).await? else { continue };
        match compare(&want.campaign, Some(&row), &campaigns) {
            Finding::Pin(pinned) => {
                ledger.route_pin_campaign(want.route.clone(), pinned).await?;
                go_on(ledger, &want.route).await?;
            }
            Finding::Fine(_) => go_on(ledger, &want.route).await?,
            Finding::Changed(pinned, refused) => {
                let there = ledger.route_stands_there(want.route.clone()).await?;
                let waits = Reason { code: ReasonCode::CampaignWaits, ..refused.clone() };
                match may_change(want.change, there, refused) {
                    // An import may have left since the ledger was asked.
                    Ok(()) if ledger.route_repin_campaign(want.route.clone(), pinned).await? => {
                        go_on(ledger, &want.route).await?;
                    }
                    Ok(()) => stops::stop(ledger, &want.route, waits).await?,
                    Err(reason) => stops::stop(ledger, &want.route, reason).await?,
                }
            }
            Finding::Stop(reason) => stops::stop(ledger, &want.route, reason).await?,
        }
    }
    Ok(())
}

/// The same where there is a reason: a campaign is not pinned, or a route is stopped because the dialler refused us, or
/// until an import is settled, and goes on by itself.
///
/// # Errors
/// The dialler or the ledger cannot be used.
pub async fn pin_where_needed(
    ledger: &Ledger,
    dialler: &dyn DiallerRead,
    wanted: &[WantedCampaign],
) -> Result<(), JobError> {
    let needed = ledger.routes_list().await?.into_iter().any(|row| {
        let ours = wanted.iter().any(|want| want.route == row.route);
        ours && row.campaign.is_none() || row.stopped.as_ref().is_some_and(ends_by_a_look)
    });
    if needed { pin_campaigns(ledger, dialler, wanted).await } else { Ok(()) }
}

/// Whether a stop is over as soon as somebody looks, without anybody's doing.
fn ends_by_a_look(stop: &Reason) -> bool {
    stop.code == ReasonCode::CampaignWaits || super::refusal::is_refusal(stop)
}

/// The number that a push would use for a route now, or why it would send nothing; pins and stops nothing.
///
/// # Errors
/// The dialler's campaigns cannot be read.
pub async fn resolve_campaign(
    dialler: &dyn DiallerRead,
    wanted: &CampaignRef,
    change: CampaignChange,
    pinned: Option<&RouteRow>,
) -> Result<Result<CampaignId, Reason>, CallError> {
    let campaigns = dialler.campaigns().await?;
    Ok(match compare(wanted, pinned, &campaigns) {
        Finding::Pin(found) => Ok(found.id),
        Finding::Fine(id) => Ok(id),
        Finding::Changed(_, refused) if change == CampaignChange::Refuse => Err(refused),
        Finding::Changed(found, _) => Ok(found.id),
        Finding::Stop(reason) => Err(reason),
    })
}

/// Whether the route may get its new campaign now, or why it stops instead. What an import in doubt has made is looked
/// for in the campaign that is pinned: it stays until that is settled.
fn may_change(change: CampaignChange, there: StandsThere, refused: Reason) -> Result<(), Reason> {
    match (change, there) {
        (_, StandsThere::Nobody) => Ok(()),
        (CampaignChange::Refuse, StandsThere::Contacts | StandsThere::InDoubt) => Err(refused),
        (CampaignChange::Move | CampaignChange::Keep, StandsThere::Contacts) => Ok(()),
        (CampaignChange::Move | CampaignChange::Keep, StandsThere::InDoubt) => {
            Err(Reason { code: ReasonCode::CampaignWaits, ..refused })
        }
    }
}

async fn go_on(ledger: &Ledger, route: &RouteName) -> Result<(), JobError> {
    Ok(stops::end(ledger, route, &[stops::Kind::Campaign, stops::Kind::Dialler]).await?)
}

fn compare(wanted: &CampaignRef, row: Option<&RouteRow>, campaigns: &[Campaign]) -> Finding {
    let by_id = |id: CampaignId| campaigns.iter().find(|campaign| campaign.id == id);
    let pinned = row.and_then(|row| row.campaign);
    let pinned_name = row.and_then(|row| row.campaign_name.as_deref());
    match wanted {
        CampaignRef::Id(id) => match by_id(*id) {
            None => unknown(&id.to_string()),
            Some(found) if pinned == Some(*id) && pinned_name == Some(&found.name) => Finding::Fine(*id),
            // The number is what the config says; a new name under it is only noted.
            Some(found) if pinned.is_none_or(|pinned| pinned == *id) => pin(found),
            Some(found) => changed(found, pinned, pinned_name),
        },
        CampaignRef::Name(name) => {
            let named: Vec<&Campaign> = campaigns.iter().filter(|campaign| campaign.name == *name).collect();
            match (named.as_slice(), pinned) {
                ([], None) => unknown(name),
                ([one], None) => pin(one),
                ([one], Some(pinned)) if one.id == pinned => Finding::Fine(pinned),
                // The config itself names another one now.
                ([one], pinned) if pinned_name.is_some_and(|old| old != name) => {
                    changed(one, pinned, pinned_name)
                }
                (found, pinned) => {
                    let found: Vec<String> = found.iter().map(|campaign| campaign.id.to_string()).collect();
                    let now = pinned
                        .and_then(by_id)
                        .map_or("deleted".to_owned(), |c| format!("named {:?}", c.name));
                    let pinned = pinned.map_or("not yet".to_owned(), |id| format!("{id} (now {now})"));
                    let found = if found.is_empty() { "nowhere".to_owned() } else { found.join(" and ") };
                    Finding::Stop(
                        Reason::new(ReasonCode::CampaignChanged)
                            .with("name", name)
                            .with("pinned", pinned)
                            .with("found", found),
                    )
                }
            }
        }
    }
}

fn pin(campaign: &Campaign) -> Finding {
    Finding::Pin(PinnedCampaign { id: campaign.id, name: Some(campaign.name.clone()) })
}

fn changed(campaign: &Campaign, pinned: Option<CampaignId>, name: Option<&str>) -> Finding {
    let old = pinned.map_or_else(String::new, |id| id.to_string());
    let old = name.map_or(old.clone(), |name| format!("{old} ({name})"));
    let reason = Reason::new(ReasonCode::CampaignMoved)
        .with("campaign", format!("{} ({})", campaign.id, campaign.name))
        .with("pinned", old);
    Finding::Changed(PinnedCampaign { id: campaign.id, name: Some(campaign.name.clone()) }, reason)
}

fn unknown(name: &str) -> Finding {
    Finding::Stop(Reason::new(ReasonCode::UnknownCampaign).with("name", name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::RouteState;

    fn row(pinned: Option<(i64, &str)>) -> RouteRow {
        RouteRow {
            route: "leads".into(),
            client: "default".into(),
            crm: "sales".into(),
            object: "contact".into(),
            campaign: pinned.map(|(id, _)| CampaignId(id)),
            campaign_name: pinned.map(|(_, name)| name.to_owned()),
            state: RouteState::On,
            state_since: crate::domain::Timestamp::UNIX_EPOCH,
            state_who: String::new(),
            state_until: None,
            state_after: None,
            pilot_until: None,
            harvest_paused: false,
            waves_held: 0,
            state_text: String::new(),
            stopped: None,
            stopped_since: None,
            cursor: None,
            cursor_moved_at: None,
            revision: None,
            decided_on: None,
            write_back_since: None,
        }
    }

    fn look(wanted: CampaignRef, pinned: Option<(i64, &str)>, there: &[(i64, &str)]) -> Finding {
        let campaigns: Vec<Campaign> = there
            .iter()
            .map(|(id, name)| Campaign { id: CampaignId(*id), name: (*name).to_owned() })
            .collect();
        compare(&wanted, Some(&row(pinned)), &campaigns)
    }

    #[test]
    fn a_name_is_pinned_once_and_then_watched() {
        let spring = || CampaignRef::Name("Spring".into());
        assert!(matches!(look(spring(), None, &[(1, "Spring")]), Finding::Pin(p) if p.id == CampaignId(1)));
        assert_eq!(
            look(spring(), Some((1, "Spring")), &[(1, "Spring"), (2, "Winter")]),
            Finding::Fine(CampaignId(1))
        );
        // Renamed, and next year's list got the old name.
        let parted = look(spring(), Some((1, "Spring")), &[(1, "Spring 2026"), (2, "Spring")]);
        let Finding::Stop(reason) = parted else { panic!("{parted:?}") };
        assert!(reason.to_string().contains("Spring 2026") && reason.to_string().contains('2'), "{reason}");
        assert!(
            matches!(look(spring(), None, &[(1, "Spring"), (2, "Spring")]), Finding::Stop(_)),
            "two bear it"
        );
        assert!(
            matches!(look(spring(), None, &[(2, "Winter")]), Finding::Stop(r) if r.code == ReasonCode::UnknownCampaign)
        );
    }

    #[test]
    fn a_number_may_be_renamed_but_not_missing() {
        let five = || CampaignRef::Id(CampaignId(5));
        assert!(matches!(look(five(), None, &[(5, "A")]), Finding::Pin(_)));
        assert_eq!(look(five(), Some((5, "A")), &[(5, "A")]), Finding::Fine(CampaignId(5)));
        assert!(matches!(look(five(), Some((5, "A")), &[(5, "B")]), Finding::Pin(_)));
        assert!(matches!(look(five(), Some((5, "A")), &[]), Finding::Stop(_)));
    }

    #[test]
    fn another_one_in_the_config_is_a_change_and_no_pin() {
        let there = [(5, "A"), (6, "B")];
        let by_number = look(CampaignRef::Id(CampaignId(6)), Some((5, "A")), &there);
        let by_name = look(CampaignRef::Name("B".into()), Some((5, "A")), &there);
        for found in [by_number, by_name] {
            let Finding::Changed(pinned, reason) = found else { panic!("{found:?}") };
            assert_eq!(pinned.id, CampaignId(6));
            assert!(reason.to_string().contains("5 (A)"), "{reason}");
        }
    }

    #[test]
    fn the_old_campaign_stays_until_it_is_known_what_an_import_has_made_there() {
        use CampaignChange::{Keep, Move, Refuse};
        use StandsThere::{Contacts, InDoubt, Nobody};
        let refused = || Reason::from(ReasonCode::CampaignMoved);
        for (change, there, why) in [
            (Refuse, Nobody, None),
            (Refuse, Contacts, Some(ReasonCode::CampaignMoved)),
            (Refuse, InDoubt, Some(ReasonCode::CampaignMoved)),
            (Move, Contacts, None),
            (Move, InDoubt, Some(ReasonCode::CampaignWaits)),
            (Keep, Contacts, None),
            (Keep, InDoubt, Some(ReasonCode::CampaignWaits)),
        ] {
            let found = may_change(change, there, refused()).err().map(|reason| reason.code);
            assert_eq!(found, why, "{change:?} {there:?}");
        }
    }
}
