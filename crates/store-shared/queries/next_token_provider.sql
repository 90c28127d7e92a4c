SELECT provider
FROM identity_tokens
WHERE provider > $1
ORDER BY provider
LIMIT 1
