UPDATE webhooks
SET sealed_secret = $2,
    sealed_previous_secret = $3,
    previous_until = $4
WHERE id = $1
