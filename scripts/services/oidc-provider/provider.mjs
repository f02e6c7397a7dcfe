#!/usr/bin/env node
// An OpenID provider on loopback, for tests: provider.mjs CONFIG
// CONFIG is JSON: {"clients": […], "claimsInIdToken": true, "algorithm": "RS256", "tls": {"cert": …, "key": …}}, clients as
// oidc-provider takes them, certificate and key in PEM; without `tls` it speaks plain HTTP.
// Prints its issuer on the first line and runs until standard input ends. Nobody has a password: whoever logs in as `ada` is
// the subject `ada`. POST /test/people?sub=ada&email=ada@corp.example&verified=true tells their e-mail address from now on;
// POST /test/rotate makes new keys.
import http from 'node:http';
import https from 'node:https';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const config = JSON.parse(process.argv[2]);
const algorithm = config.algorithm ?? 'RS256';

async function key() {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: algorithm, kid: crypto.randomUUID() };
}

// What is known of people, by subject.
const people = new Map();

function account(sub) {
  return { accountId: sub, claims: () => ({ sub, ...people.get(sub) }) };
}

async function provider(issuer) {
  return new Provider(issuer, {
    clients: config.clients.map((client) => ({ id_token_signed_response_alg: algorithm, ...client })),
    jwks: { keys: [await key()] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: !config.claimsInIdToken,
    findAccount: (_, login) => account(login),
    cookies: { keys: [crypto.randomUUID()] },
    pkce: { required: () => true },
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
  });
}

const server = config.tls ? https.createServer(config.tls) : http.createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `${config.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  let current = (await provider(issuer)).callback();
  server.on('request', async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, issuer);
    if (pathname === '/test/rotate') {
      current = (await provider(issuer)).callback();
      response.writeHead(204).end();
    } else if (pathname === '/test/people') {
      const of = (name) => searchParams.get(name);
      people.set(of('sub'), { email: of('email'), email_verified: of('verified') === 'true' });
      response.writeHead(204).end();
    } else {
      current(request, response);
    }
  });
  console.log(issuer);
});
process.stdin.on('end', () => process.exit()).resume();
