// A certificate that nobody vouches for, for receivers behind TLS: for localhost, receiver.test and 127.0.0.1, valid from
// 2020 to 2120. Its key is public here; it protects nothing.

export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj2vippzERsoqc06s
p4heh++puQCeKlBxspu+BeUHlMyhRANCAASXJRfNslHst2ApvUkjUk3Ru6lIKUCh
slGsqH/OaxmWu7fsbJqJ0lor3hXPoakWwUJdFhmxSLJVEwxic9dAHK76
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBdjCCARygAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJclF82yUey3YCm9
SSNSTdG7qUgpQKGyUayof85rGZa7t+xsmonSWiveFc+hqRbBQl0WGbFIslUTDGJz
10AcrvqjXTBbMCkGA1UdEQQiMCCCCWxvY2FsaG9zdIINcmVjZWl2ZXIudGVzdIcE
fwAAATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBSLtVveHv7f5bGl0IzFuVvg
wl4OwDAKBggqhkjOPQQDAgNIADBFAiEAh9zpM8jXD/VDhvCOxY79Z4VB0KA8NfQQ
MzfcUQwQHZQCIFCw/uturrYP47nj9X2KBMVraZ6fpw0fQFmZeiG8vttA
-----END CERTIFICATE-----
`,
} as const;
