import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { sign, signedHeaders } from './sign.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

test('the signature is the one of the public test vector', () => {
  expect(sign(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}')).toBe(
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  )
})

test('the headers pass the public verifier, also with a body outside ASCII', () => {
  const body = '{"name":"größer ⚠"}'
  const headers = signedHeaders(secret, 'dlv_0193', Math.floor(Date.now() / 1_000), body)
  expect(new Webhook(secret).verify(body, headers)).toEqual({ name: 'größer ⚠' })
})
