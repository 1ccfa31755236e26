//! The shapes against the codec, and what is refused before the codec sees it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::{
    messages::*,
    protocol::{Decodable, Encodable, Message, Request},
};
use milena_protocol::{
    DecodeError, decode_request, decode_response,
    sample::{LengthOf, Side, sample},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Calls a generic check with every request in the table.
macro_rules! with_each {
    ($check:ident) => {
        with_each!($check:
            ProduceRequest,
            FetchRequest,
            ListOffsetsRequest,
            MetadataRequest,
            OffsetCommitRequest,
            OffsetFetchRequest,
            FindCoordinatorRequest,
            JoinGroupRequest,
            HeartbeatRequest,
            LeaveGroupRequest,
            SyncGroupRequest,
            DescribeGroupsRequest,
            ListGroupsRequest,
            SaslHandshakeRequest,
            ApiVersionsRequest,
            CreateTopicsRequest,
            DeleteTopicsRequest,
            DeleteRecordsRequest,
            InitProducerIdRequest,
            OffsetForLeaderEpochRequest,
            AddPartitionsToTxnRequest,
            AddOffsetsToTxnRequest,
            EndTxnRequest,
            TxnOffsetCommitRequest,
            DescribeAclsRequest,
            CreateAclsRequest,
            DeleteAclsRequest,
            DescribeConfigsRequest,
            AlterConfigsRequest,
            DescribeLogDirsRequest,
            SaslAuthenticateRequest,
            CreatePartitionsRequest,
            DeleteGroupsRequest,
            ElectLeadersRequest,
            IncrementalAlterConfigsRequest,
            AlterPartitionReassignmentsRequest,
            ListPartitionReassignmentsRequest,
            OffsetDeleteRequest,
            DescribeClientQuotasRequest,
            AlterClientQuotasRequest,
            DescribeUserScramCredentialsRequest,
            AlterUserScramCredentialsRequest,
            DescribeQuorumRequest,
            UpdateFeaturesRequest,
            DescribeClusterRequest,
            DescribeProducersRequest,
            DescribeTransactionsRequest,
            ListTransactionsRequest,
            ConsumerGroupHeartbeatRequest,
            ConsumerGroupDescribeRequest,
            GetTelemetrySubscriptionsRequest,
            PushTelemetryRequest,
            ListConfigResourcesRequest,
            DescribeTopicPartitionsRequest,
        )
    };
    ($check:ident: $($request:ident,)*) => { $($check::<$request>();)* };
}

/// What is made from a shape is read by the codec to its end, and written by it as it was.
fn agrees<R: Request>() {
    let mut random = StdRng::seed_from_u64(5);
    for side in [Side::Request, Side::Response] {
        let range = match side {
            Side::Request => R::VERSIONS,
            Side::Response => R::Response::VERSIONS,
        };
        for version in range.min..=range.max {
            for _ in 0..5 {
                let body = sample(side, R::KEY, version, &mut || random.random(), None)
                    .unwrap()
                    .body;
                match side {
                    Side::Request => {
                        round_trip::<R>(R::KEY, version, &body);
                        decode_request::<R>(body.into(), version).unwrap();
                    }
                    Side::Response => {
                        round_trip::<R::Response>(R::KEY, version, &body);
                        decode_response::<R>(body.into(), version).unwrap();
                    }
                }
            }
        }
    }
}

fn round_trip<M: Message + Decodable + Encodable>(key: i16, version: i16, body: &[u8]) {
    let mut bytes = Bytes::copy_from_slice(body);
    let decoded =
        M::decode(&mut bytes, version).unwrap_or_else(|error| panic!("{key} {version}: {error}"));
    assert!(
        !bytes.has_remaining(),
        "{key} {version}: the codec leaves bytes"
    );
    let mut written = BytesMut::new();
    decoded.encode(&mut written, version).unwrap();
    assert_eq!(
        written, body,
        "{key} {version}: the codec writes it differently"
    );
}

#[test]
fn the_shapes_are_those_of_the_codec() {
    with_each!(agrees);
}

/// No length that is a lie reaches the codec.
fn refuses<R: Request>() {
    for side in [Side::Request, Side::Response] {
        let range = match side {
            Side::Request => R::VERSIONS,
            Side::Response => R::Response::VERSIONS,
        };
        for version in range.min..=range.max {
            let honest = sample(side, R::KEY, version, &mut || 1, None).unwrap();
            for (place, of) in honest.lengths.iter().enumerate() {
                for lie in [5_000, 0x0fff_ffff, 0x7fff_fffe] {
                    let body = sample(side, R::KEY, version, &mut || 1, Some((place, lie)));
                    let body: Bytes = body.unwrap().body.into();
                    let refused = match side {
                        Side::Request => decode_request::<R>(body, version).err(),
                        Side::Response => decode_response::<R>(body, version).err(),
                    };
                    let right = match refused {
                        Some(DecodeError::Length { .. }) => true,
                        Some(DecodeError::TagSize(_)) => *of == LengthOf::Bytes,
                        _ => false,
                    };
                    assert!(
                        right,
                        "{} {version}, {of:?} {place} of {lie}: {refused:?}",
                        R::KEY
                    );
                }
            }
        }
    }
}

#[test]
fn every_length_must_be_covered() {
    with_each!(refuses);
}

#[test]
fn elements_are_counted_over_the_whole_message() {
    // Two million topics of the shortest name: all bytes are there.
    let mut body = BytesMut::from(&2_000_000_u32.to_be_bytes()[..]);
    body.extend_from_slice(&[0; 4_000_000]);
    let refused = decode_request::<MetadataRequest>(body.freeze(), 1);
    assert!(matches!(refused, Err(DecodeError::TooManyElements)));
}

#[test]
fn any_bytes_are_decoded_or_refused() {
    fn survives<R: Request>() {
        let mut random = StdRng::seed_from_u64(9);
        for version in R::VERSIONS.min..=R::VERSIONS.max {
            for _ in 0..200 {
                let honest = sample(Side::Request, R::KEY, version, &mut || 1, None).unwrap();
                let mut body = honest.body;
                for _ in 0..random.random_range(1..4).min(body.len()) {
                    let at = random.random_range(0..body.len());
                    body[at] = random.random();
                }
                body.truncate(random.random_range(0..=body.len()));
                let _ = decode_request::<R>(body.into(), version);
            }
        }
    }
    with_each!(survives);
}
