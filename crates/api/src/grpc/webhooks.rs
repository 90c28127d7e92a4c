//! `denizen.v1.WebhookService`.

use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::id::WebhookId;
use denizen_domain::roles::Description;
use denizen_domain::webhooks::{
    self, Creator, EventTypes, NewWebhook, OVERLAP_DEFAULT_S, OVERLAP_MAX_S, Webhook, WebhookChange, WebhookStatus,
    WebhookUrl,
};
use denizen_proto::v1;
use denizen_proto::v1::webhook_service_server::WebhookService;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Call, by_caller};
use super::convert::{self, moment};
use super::deliveries;
use super::mask::Mask;
use super::page::{self, asked};
use super::status::Refusal;
use crate::http::page::List;
use crate::http::webhooks::ping_body;
use crate::http::{Shared, etag};
use crate::json_form::Fields;

const KNOWN: [&str; 4] = ["url", "description", "types", "status"];

/// The service.
pub(super) struct Webhooks(pub(super) Shared);

macro_rules! methods {
    ($($name:ident($Request:ident) -> $Response:ident by $of:path;)+) => {
        #[async_trait]
        impl WebhookService for Webhooks {
            $(async fn $name(&self, request: Request<v1::$Request>) -> Result<Response<v1::$Response>, Status> {
                by_caller(&self.0, request, $of).await
            })+
        }
    };
}

methods! {
    create_webhook(CreateWebhookRequest) -> CreateWebhookResponse by create;
    get_webhook(GetWebhookRequest) -> GetWebhookResponse by get;
    list_webhooks(ListWebhooksRequest) -> ListWebhooksResponse by list;
    update_webhook(UpdateWebhookRequest) -> UpdateWebhookResponse by update;
    delete_webhook(DeleteWebhookRequest) -> DeleteWebhookResponse by delete;
    rotate_webhook_secret(RotateWebhookSecretRequest) -> RotateWebhookSecretResponse by rotate_secret;
    test_webhook(TestWebhookRequest) -> TestWebhookResponse by test;
    list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse by deliveries::list;
    get_delivery(GetDeliveryRequest) -> GetDeliveryResponse by deliveries::get;
    retry_delivery(RetryDeliveryRequest) -> RetryDeliveryResponse by deliveries::retry;
    replay_deliveries(ReplayDeliveriesRequest) -> ReplayDeliveriesResponse by deliveries::replay;
}

async fn create(call: Call, request: v1::CreateWebhookRequest) -> Result<v1::CreateWebhookResponse, Refusal> {
    let mut fields = Fields::default();
    let url = fields.check("url", WebhookUrl::parse(&request.url));
    let types = fields.check("types", EventTypes::parse(&request.types));
    let description = fields.check("description", Description::parse(&request.description));
    let new =
        (|| Some(NewWebhook { url: url?, types: types?, description: description?, status: WebhookStatus::Active }))();
    let issued = webhooks::create(&call.ctx, fields.finish(new)?).await?;
    let secret = issued.secret.expose_secret().to_owned();
    Ok(v1::CreateWebhookResponse { webhook: Some(body(&issued.webhook)), secret })
}

async fn get(call: Call, request: v1::GetWebhookRequest) -> Result<v1::GetWebhookResponse, Refusal> {
    let id = convert::id("id", &request.id, WebhookId::parse)?;
    let webhook = webhooks::get(&call.ctx, id).await?;
    Ok(v1::GetWebhookResponse { webhook: Some(body(&webhook)) })
}

async fn list(call: Call, request: v1::ListWebhooksRequest) -> Result<v1::ListWebhooksResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let (page, total) = asked!(request).read(vault, List::Webhooks)?;
    let listed = webhooks::list(&call.ctx, page, total).await?;
    Ok(v1::ListWebhooksResponse {
        next_page_token: page::next(vault, List::Webhooks, listed.next),
        total_size: page::total(listed.total),
        webhooks: listed.items.iter().map(body).collect(),
    })
}

async fn update(call: Call, request: v1::UpdateWebhookRequest) -> Result<v1::UpdateWebhookResponse, Refusal> {
    let webhook = request.webhook.ok_or_else(|| convert::required("webhook"))?;
    let id = convert::id("id", &webhook.id, WebhookId::parse)?;
    let mask = Mask::read(request.update_mask, &KNOWN)?;
    let mut fields = Fields::default();
    let means_url = mask.means("url", !webhook.url.is_empty());
    let means_description = mask.means("description", !webhook.description.is_empty());
    let means_types = mask.means("types", !webhook.types.is_empty());
    let means_status = mask.means_if_said("status", webhook.status != 0);
    let description = || Description::parse(&webhook.description);
    let change = WebhookChange {
        url: means_url.then(|| fields.check("url", WebhookUrl::parse(&webhook.url))).flatten(),
        description: means_description.then(|| fields.check("description", description())).flatten(),
        types: means_types.then(|| fields.check("types", EventTypes::parse(&webhook.types))).flatten(),
        status: means_status.then(|| fields.check("status", read_status(webhook.status))).flatten(),
    };
    let change = fields.finish(Some(change))?;
    let expected = convert::expected(&webhook.etag)?;
    let webhook = webhooks::update(&call.ctx, id, change, expected.as_deref()).await?;
    Ok(v1::UpdateWebhookResponse { webhook: Some(body(&webhook)) })
}

async fn delete(call: Call, request: v1::DeleteWebhookRequest) -> Result<v1::DeleteWebhookResponse, Refusal> {
    let id = convert::id("id", &request.id, WebhookId::parse)?;
    let expected = convert::expected(&request.etag)?;
    webhooks::delete(&call.ctx, id, expected.as_deref()).await?;
    Ok(v1::DeleteWebhookResponse {})
}

async fn rotate_secret(
    call: Call,
    request: v1::RotateWebhookSecretRequest,
) -> Result<v1::RotateWebhookSecretResponse, Refusal> {
    let id = convert::id("id", &request.id, WebhookId::parse)?;
    let overlap_s = match &request.overlap {
        None => OVERLAP_DEFAULT_S,
        Some(overlap) => {
            let whole = u32::try_from(overlap.seconds).ok().filter(|_| overlap.nanos == 0);
            whole.filter(|seconds| *seconds <= OVERLAP_MAX_S).ok_or_else(|| {
                FieldError::new("overlap", "out_of_range", format!("must be 0 to {OVERLAP_MAX_S} whole seconds"))
            })?
        }
    };
    let expected = convert::expected(&request.etag)?;
    let issued = webhooks::rotate_secret(&call.ctx, id, overlap_s, expected.as_deref()).await?;
    let secret = issued.secret.expose_secret().to_owned();
    Ok(v1::RotateWebhookSecretResponse { webhook: Some(body(&issued.webhook)), secret })
}

async fn test(call: Call, request: v1::TestWebhookRequest) -> Result<v1::TestWebhookResponse, Refusal> {
    let id = convert::id("id", &request.id, WebhookId::parse)?;
    let (ping, attempt) = webhooks::test(&call.ctx, id, |ping| ping_body(&call.ctx, ping)).await?;
    Ok(v1::TestWebhookResponse {
        event_id: ping.id.to_string(),
        delivered: attempt.is_success(),
        attempt: Some(deliveries::attempt(attempt)),
    })
}

fn read_status(number: i32) -> Result<WebhookStatus, RuleBroken> {
    match v1::WebhookStatus::try_from(number) {
        Ok(v1::WebhookStatus::Active) => Ok(WebhookStatus::Active),
        Ok(v1::WebhookStatus::Disabled) => Ok(WebhookStatus::Disabled),
        Ok(v1::WebhookStatus::Unspecified) | Err(_) => {
            Err(convert::broken("invalid_value", "must be active or disabled"))
        }
    }
}

fn body(webhook: &Webhook) -> v1::Webhook {
    let status = match webhook.status {
        WebhookStatus::Active => v1::WebhookStatus::Active,
        WebhookStatus::Disabled => v1::WebhookStatus::Disabled,
    };
    v1::Webhook {
        id: webhook.id.to_string(),
        url: webhook.url.as_str().to_owned(),
        description: webhook.description.as_str().to_owned(),
        types: webhook.types.as_slice().to_vec(),
        status: status.into(),
        failures: webhook.health.failures,
        paused_until: webhook.health.paused_until.map(moment),
        created_at: Some(moment(webhook.created_at)),
        updated_at: Some(moment(webhook.updated_at)),
        etag: etag::of_version(webhook.version),
        created_by: webhook.created_by.map(creator),
        disabled_reason: webhook.disabled_reason.map(|reason| reason.as_str().to_owned()),
    }
}

fn creator(creator: Creator) -> v1::EventActor {
    let id = match creator {
        Creator::Account(subject) => Some(subject.to_string()),
        Creator::Operator => None,
    };
    v1::EventActor { r#type: creator.kind().to_owned(), id }
}
