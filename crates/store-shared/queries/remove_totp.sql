DELETE FROM totp_factors WHERE user_id = $1
