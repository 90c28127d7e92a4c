SELECT sealed_secret, sealed_previous_secret, previous_until
FROM webhooks
WHERE id = $1
