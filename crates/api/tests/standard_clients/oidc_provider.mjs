// A certified OpenID provider (oidc-provider) whose users sign in and consent at once.
import Provider from 'oidc-provider';
import { createServer } from 'node:http';

const [redirectUri] = process.argv.slice(2);
// The issuer contains the port, which is known once the server listens.
const server = createServer((request, response) => handle(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const account = {
  accountId: 'ada-1',
  claims: () => ({ sub: 'ada-1', email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace', locale: 'de' }),
};
const provider = new Provider(issuer, {
  clients: [{ client_id: 'denizen', client_secret: 'the-secret-of-denizen', redirect_uris: [redirectUri] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'locale'] },
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  findAccount: () => account,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { prompt, params } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login') {
    return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: account.accountId } });
  }
  const grant = new provider.Grant({ accountId: account.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
});

const handle = provider.callback();
console.log(`issuer ${issuer}`);
