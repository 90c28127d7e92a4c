//! The deliveries of `denizen.v1.WebhookService`.

use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::{DeliveryId, WebhookId};
use denizen_domain::webhooks::{self, Attempt, Delivery, DeliveryState, Range};
use denizen_proto::v1;

use super::call::Call;
use super::convert::{self, moment};
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::page::List;
use crate::json_form::Fields;

pub(super) async fn list(
    call: Call,
    request: v1::ListDeliveriesRequest,
) -> Result<v1::ListDeliveriesResponse, Refusal> {
    let webhook = convert::id("webhook_id", &request.webhook_id, WebhookId::parse)?;
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::Deliveries)?;
    let state = read_state(request.state).map_err(|broken| broken.at("state"))?;
    let listed = webhooks::list_deliveries(&call.ctx, webhook, state, page, total).await?;
    Ok(v1::ListDeliveriesResponse {
        next_page_token: page::next(vault, List::Deliveries, listed.next),
        total_size: page::total(listed.total),
        total_size_limited: page::is_limited(listed.total),
        deliveries: listed.items.into_iter().map(body).collect(),
    })
}

pub(super) async fn get(call: Call, request: v1::GetDeliveryRequest) -> Result<v1::GetDeliveryResponse, Refusal> {
    let (webhook, id) = ids(&request.webhook_id, &request.id)?;
    let delivery = webhooks::get_delivery(&call.ctx, webhook, id).await?;
    Ok(v1::GetDeliveryResponse { delivery: Some(body(delivery)) })
}

pub(super) async fn retry(call: Call, request: v1::RetryDeliveryRequest) -> Result<v1::RetryDeliveryResponse, Refusal> {
    let (webhook, id) = ids(&request.webhook_id, &request.id)?;
    webhooks::retry(&call.ctx, webhook, id).await?;
    Ok(v1::RetryDeliveryResponse {})
}

pub(super) async fn replay(
    call: Call,
    request: v1::ReplayDeliveriesRequest,
) -> Result<v1::ReplayDeliveriesResponse, Refusal> {
    let id = convert::id("webhook_id", &request.webhook_id, WebhookId::parse)?;
    let mut fields = Fields::default();
    let state = fields.check("state", read_state(request.state)).flatten();
    let range = Range {
        from: request.from.and_then(|at| fields.check("from", convert::read_moment(&at))),
        to: request.to.and_then(|at| fields.check("to", convert::read_moment(&at))),
        state: state.unwrap_or(DeliveryState::Parked),
    };
    let count = webhooks::replay(&call.ctx, id, fields.finish(Some(range))?).await?;
    Ok(v1::ReplayDeliveriesResponse { count: i64::try_from(count).unwrap_or(i64::MAX) })
}

fn ids(webhook: &str, id: &str) -> Result<(WebhookId, DeliveryId), FieldError> {
    let webhook = convert::id("webhook_id", webhook, WebhookId::parse)?;
    Ok((webhook, convert::id("id", id, DeliveryId::parse)?))
}

fn read_state(number: i32) -> Result<Option<DeliveryState>, RuleBroken> {
    match v1::DeliveryState::try_from(number) {
        Ok(v1::DeliveryState::Unspecified) => Ok(None),
        Ok(v1::DeliveryState::Pending) => Ok(Some(DeliveryState::Pending)),
        Ok(v1::DeliveryState::Delivered) => Ok(Some(DeliveryState::Delivered)),
        Ok(v1::DeliveryState::Parked) => Ok(Some(DeliveryState::Parked)),
        Err(_) => Err(convert::broken("invalid_value", "must be pending, delivered or parked")),
    }
}

fn body(delivery: Delivery) -> v1::Delivery {
    let state = match delivery.state {
        DeliveryState::Pending => v1::DeliveryState::Pending,
        DeliveryState::Delivered => v1::DeliveryState::Delivered,
        DeliveryState::Parked => v1::DeliveryState::Parked,
    };
    v1::Delivery {
        id: delivery.id.to_string(),
        webhook_id: delivery.webhook.to_string(),
        event_id: delivery.event.to_string(),
        r#type: delivery.kind,
        subject: delivery.subject,
        state: state.into(),
        attempts: delivery.attempts,
        due_at: delivery.due_at.map(moment),
        created_at: Some(moment(delivery.created_at)),
        last_attempt: delivery.last.map(attempt),
    }
}

/// What came of a request.
pub(super) fn attempt(attempt: Attempt) -> v1::WebhookAttempt {
    v1::WebhookAttempt {
        attempted_at: Some(moment(attempt.at)),
        status: attempt.status.map(u32::from),
        latency_ms: attempt.latency_ms,
        answer: attempt.answer,
        error: attempt.error,
    }
}
