// Which ranges of addresses are not simply public, as one table that is ours to answer for. The first match decides.
// Sources: the IANA special-purpose address registries (RFC 6890 and its successors) and the clouds' own documentation.
import type { Cidr, IpAddress } from '../../../domain/cidr.ts';
import { cidr, covers } from '../../../domain/cidr.ts';
import type { EgressRefusal } from '../ports.ts';

type RangeRefusal = Exclude<EgressRefusal, 'scheme' | 'userinfo'>;

export interface AddressRange {
  readonly cidr: Cidr;
  /** Completes "… is". */
  readonly name: string;
  readonly refusal: RangeRefusal;
  /** Whether `WEBHOOK_ALLOWED_CIDRS` can open it. */
  readonly allowable: boolean;
  /** Where it is written that the range is what it is. */
  readonly source: string;
}

type Row = readonly [cidr: string, name: string, source: string];

/**
 * Hosts that hand credentials of the machine to whoever asks. Those inside 169.254.0.0/16 and fe80::/10 would be refused
 * as link-local anyway; here they get their name. No setting opens them: no receiver of webhooks ever lives there.
 */
const metadata: readonly Row[] = [
  [
    '169.254.169.254/32',
    'the metadata service of AWS, Google Cloud, Azure and others',
    'AWS EC2, instance metadata',
  ],
  ['169.254.170.2/32', 'the AWS ECS credentials service', 'AWS ECS, task IAM roles'],
  ['169.254.170.23/32', 'the AWS EKS credentials service', 'AWS EKS, Pod Identity'],
  ['169.254.42.42/32', 'the metadata service of Scaleway', 'cloud-init, Scaleway data source'],
  ['169.254.0.23/32', 'the metadata service of Tencent Cloud', 'Tencent CVM, instance metadata'],
  ['100.100.100.200/32', 'the metadata service of Alibaba Cloud', 'Alibaba ECS, instance metadata'],
  ['100.96.0.96/32', 'the metadata service of Volcengine', 'Volcengine ECS, instance metadata'],
  ['168.63.129.16/32', 'the host service (WireServer) of Azure', 'Azure, What is IP address 168.63.129.16'],
  [
    '192.0.0.192/32',
    'the metadata service of Oracle Cloud Classic',
    'Oracle Cloud Classic, instance metadata',
  ],
  // IMDS ::254, Pod Identity ::23, DNS ::253, time ::123: AWS keeps the whole prefix for services of the host.
  ['fd00:ec2::/32', 'the metadata service of AWS', 'AWS EC2, instance metadata over IPv6'],
  [
    'fd20:ce::254/128',
    'the metadata service of Google Cloud',
    'Google Compute Engine, metadata on IPv6-only VMs',
  ],
  [
    'fd00:c1::a9fe:a9fe/128',
    'the metadata service of Oracle Cloud',
    'Oracle Cloud, instance metadata over IPv6',
  ],
  ['fd00:42::42/128', 'the metadata service of Scaleway', 'cloud-init, Scaleway data source'],
  ['fd00:a9fe:a9fe::1/128', 'the metadata service of Akamai (Linode)', 'cloud-init, Akamai data source'],
  [
    'fd00:100::100:200/128',
    'the metadata service of Alibaba Cloud',
    'Alibaba ECS, instance metadata over IPv6',
  ],
  ['fe80::a9fe:a9fe/128', 'the metadata service of OpenStack', 'OpenStack Nova, metadata over IPv6'],
];

const linkLocal: readonly Row[] = [
  ['169.254.0.0/16', 'a link-local address', 'RFC 3927'],
  ['fe80::/10', 'a link-local address', 'RFC 4291'],
];

const unspecified: readonly Row[] = [
  // Many systems connect to themselves when asked for 0.0.0.0 or ::, past every rule about loopback.
  ['0.0.0.0/8', 'an address of "this network"', 'RFC 791, RFC 1122'],
  ['::/128', 'the unspecified address', 'RFC 4291'],
];

const multicast: readonly Row[] = [
  ['224.0.0.0/4', 'a multicast address', 'RFC 5771'],
  ['ff00::/8', 'a multicast address', 'RFC 4291'],
];

/** Reserved for good: nothing that an operator could run answers there, or it cannot be told where the packets go. */
const unusable: readonly Row[] = [
  ['255.255.255.255/32', 'the broadcast address', 'RFC 919'],
  // Carries an IPv4 address of a relay's choosing and one that is merely obscured: judging them would be guessing.
  ['2001::/32', 'a Teredo address', 'RFC 4380'],
];

const loopback: readonly Row[] = [
  ['127.0.0.0/8', 'a loopback address', 'RFC 1122'],
  ['::1/128', 'the loopback address', 'RFC 4291'],
];

const privateUse: readonly Row[] = [
  ['10.0.0.0/8', 'a private address', 'RFC 1918'],
  ['172.16.0.0/12', 'a private address', 'RFC 1918'],
  ['192.168.0.0/16', 'a private address', 'RFC 1918'],
  ['100.64.0.0/10', 'an address shared behind a carrier, as overlay networks use it too', 'RFC 6598'],
  ['fc00::/7', 'a private (unique local) address', 'RFC 4193'],
  ['fec0::/10', 'a private (site-local) address', 'RFC 3879'],
  // Its owner decides what is behind it. See `readings` in embedded-ipv4.ts for the one thing that is looked at all the same.
  ['64:ff9b:1::/48', "an address of the network's own IPv4 translation", 'RFC 8215'],
];

/**
 * Not for the public internet, yet used inside some networks: virtual machines and VPNs number themselves out of
 * 198.18.0.0/15, some data centres out of 240.0.0.0/4. The operator may know better, so a CIDR opens them.
 */
const reserved: readonly Row[] = [
  ['192.0.0.0/24', 'reserved for protocol assignments', 'RFC 6890'],
  ['192.0.2.0/24', 'reserved for documentation', 'RFC 5737'],
  ['198.51.100.0/24', 'reserved for documentation', 'RFC 5737'],
  ['203.0.113.0/24', 'reserved for documentation', 'RFC 5737'],
  ['192.88.99.0/24', 'reserved (6to4 relays of the past)', 'RFC 7526'],
  ['198.18.0.0/15', 'reserved for benchmarks', 'RFC 2544'],
  ['240.0.0.0/4', 'reserved for future use', 'RFC 1112'],
  ['2001:2::/48', 'reserved for benchmarks', 'RFC 5180'],
  ['2001::/23', 'reserved for protocol assignments', 'RFC 2928'],
  ['2001:db8::/32', 'reserved for documentation', 'RFC 3849'],
  ['3fff::/20', 'reserved for documentation', 'RFC 9637'],
  // Global unicast is 2000::/3 alone. Discard-only 100::/64 and segment routing 5f00::/16 lie outside of it too.
  ['::/3', 'outside of what is assigned to the internet', 'IANA IPv6 address space, RFC 4291'],
  ['4000::/2', 'outside of what is assigned to the internet', 'IANA IPv6 address space, RFC 4291'],
  ['8000::/1', 'outside of what is assigned to the internet', 'IANA IPv6 address space, RFC 4291'],
];

const table = (refusal: RangeRefusal, allowable: boolean, rows: readonly Row[]): AddressRange[] =>
  rows.map(([text, name, source]) => ({ cidr: cidr(text), name, refusal, allowable, source }));

/** From the narrow and unconditional to the wide. */
export const addressRanges: readonly AddressRange[] = [
  ...table('metadata', false, metadata),
  ...table('link_local', false, linkLocal),
  ...table('unspecified', false, unspecified),
  ...table('multicast', false, multicast),
  ...table('reserved', false, unusable),
  ...table('loopback', true, loopback),
  ...table('private', true, privateUse),
  ...table('reserved', true, reserved),
];

/** What the address is, on its face; undefined for a public one. Embedded addresses are not looked at. */
export const rangeOf = (address: IpAddress): AddressRange | undefined =>
  addressRanges.find((range) => covers(range.cidr, address));
