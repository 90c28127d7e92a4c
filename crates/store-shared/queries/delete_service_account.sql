DELETE FROM service_accounts WHERE id = $1
