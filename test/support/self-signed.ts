// A certificate that nobody vouches for, for receivers behind TLS: for localhost, receiver.test, 127.0.0.1 and ::1, valid
// from 2020 to 2120. Its key is public here; it protects nothing.

export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj2vippzERsoqc06s
p4heh++puQCeKlBxspu+BeUHlMyhRANCAASXJRfNslHst2ApvUkjUk3Ru6lIKUCh
slGsqH/OaxmWu7fsbJqJ0lor3hXPoakWwUJdFhmxSLJVEwxic9dAHK76
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBiDCCAS6gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJclF82yUey3YCm9
SSNSTdG7qUgpQKGyUayof85rGZa7t+xsmonSWiveFc+hqRbBQl0WGbFIslUTDGJz
10AcrvqjbzBtMDsGA1UdEQQ0MDKCCWxvY2FsaG9zdIINcmVjZWl2ZXIudGVzdIcE
fwAAAYcQAAAAAAAAAAAAAAAAAAAAATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQW
BBSLtVveHv7f5bGl0IzFuVvgwl4OwDAKBggqhkjOPQQDAgNIADBFAiEAnN88mnx8
3U2b2CgH3eBrMfsrrp67wDGojBdFoP6/8ukCIHeXXLdUF6oOmk12Nuvm4j8NGl/u
Z7kEQWJHZS3HHBxP
-----END CERTIFICATE-----
`,
} as const;
