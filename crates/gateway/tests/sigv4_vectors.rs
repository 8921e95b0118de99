//! The 22 signatures of `fixtures/sigv4.json`, which botocore, AWS's CRT and plain hashlib code agree on.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{self as library, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use gateway::bedrock::Operation;
use gateway::bedrock::path::{of_model, spelt};
use gateway::bedrock::signing::{Signable, sign};
use gateway::{Body, Target};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn every_vector_is_reproduced() {
    let text = include_str!("../../../fixtures/sigv4.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let vectors = document["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 22);
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().unwrap();
        let (host, target) = field("url")
            .split_once("://")
            .unwrap()
            .1
            .split_once('/')
            .unwrap();
        let headers: Vec<(String, String)> = vector["headers_in"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body_hash = Body::Unchanged.sha256_hex(field("body").as_bytes());
        assert_eq!(body_hash, field("body_sha256"));
        let credentials = Credentials::new(
            field("access_key_id"),
            field("secret_access_key"),
            vector["session_token"].as_str().map(str::to_owned),
            None,
            "test",
        );
        let signable = Signable {
            method: field("method"),
            host,
            target: &format!("/{target}"),
            headers: &headers,
            body_hash: &body_hash,
            region: field("region"),
            service: field("service"),
        };
        let now = UNIX_EPOCH + Duration::from_secs(vector["epoch"].as_u64().unwrap());
        let signed = sign(&signable, &credentials, now).unwrap();
        let value = |name| {
            signed
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(
            value("authorization"),
            Some(field("authorization")),
            "{}",
            field("name")
        );
        assert_eq!(value("x-amz-date"), Some(field("x_amz_date")));
        assert_eq!(
            value("x-amz-security-token"),
            vector["session_token"].as_str()
        );
    }
}

#[test]
fn every_method_and_query_is_signed_as_by_botocore() {
    let text = include_str!("../../../fixtures/sigv4_queries.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        let field = |name: &str| vector[name].as_str().unwrap();
        let headers = vector["headers"].as_object().unwrap();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let read = Target::read(field("target"));
        assert_eq!(spelt(read.path(), read.query()).unwrap(), field("target"));
        let signable = Signable {
            method: field("method"),
            host: field("host"),
            target: field("target"),
            headers: &headers,
            body_hash: &Body::Unchanged.sha256_hex(field("body").as_bytes()),
            region: field("region"),
            service: field("service"),
        };
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            None,
            None,
            "test",
        );
        // 2026-11-28 12:00:00 UTC
        let now = UNIX_EPOCH + Duration::from_secs(1_795_867_200);
        let signed = sign(&signable, &credentials, now).unwrap();
        let (_, authorization) = signed
            .iter()
            .find(|(name, _)| *name == "authorization")
            .unwrap();
        assert_eq!(authorization, field("authorization"), "{}", field("target"));
    }
}

/// aws-sigv4's own way, by its public interface.
fn sign_by_library(
    signable: &Signable<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Vec<(String, String)> {
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(signable.region)
        .name(signable.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = signable.headers.iter().copied();
    let request = SignableRequest::new(
        signable.method,
        format!("https://{}{}", signable.host, signable.target),
        headers.chain([("host", signable.host)]),
        SignableBody::Precomputed(signable.body_hash.to_owned()),
    )
    .unwrap();
    let (instructions, _) = library::sign(request, &params).unwrap().into_parts();
    let (headers, _) = instructions.into_parts();
    headers
        .into_iter()
        .map(|header| (header.name().to_owned(), header.value().to_owned()))
        .collect()
}

proptest! {
    /// Whatever a plan may come to is signed as the library signs it.
    #[test]
    fn every_request_is_signed_as_by_the_library(
        model in "[A-Za-z0-9_:/.~ %+é-]{1,40}".prop_filter("a plan has none of these", |id| !id.contains('.')),
        query in prop::option::of("[a-z]{1,3}=[A-Za-z0-9]{0,5}&[a-z]{4,6}=%2F"),
        region in "[a-z]{2}-[a-z]{4}-[1-9]",
        metadata in "[ -~]{0,30}",
        token in prop::option::of("[A-Za-z0-9+/=]{1,60}"),
        seconds in 0u64..4_102_444_800,
    ) {
        let path = of_model(Operation::ConverseStream, &model);
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let headers = [("content-type", "application/json"), ("x-amzn-bedrock-request-metadata", metadata.as_str())];
        let signable = Signable {
            method: "POST",
            host: "bedrock.example:8443",
            target: &target,
            headers: &headers,
            body_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            region: &region,
            service: "bedrock",
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", token, None, "test");
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        let ours = sign(&signable, &credentials, now).unwrap();
        let mut ours: Vec<(String, String)> =
            ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut theirs = sign_by_library(&signable, &credentials, now);
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs);
    }
}

proptest! {
    /// Whatever target a client sends, as it is spelt when it goes on.
    #[test]
    fn every_target_is_signed_as_by_the_library(
        method in "GET|PUT|DELETE|POST|HEAD",
        path in "(/[a-z%:+é~ !*'();@&=,$-]{1,8}){1,4}/?",
        query in prop::option::of("[a-z%=&+:/?é~ !*'(),.-]{0,40}"),
    ) {
        let Ok(target) = spelt(&path, query.as_deref()) else {
            return Ok(());
        };
        let signable = Signable {
            method: &method,
            host: "h.example",
            target: &target,
            headers: &[],
            body_hash: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            region: "us-east-1",
            service: "bedrock-agentcore",
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let ours = sign(&signable, &credentials, UNIX_EPOCH).unwrap();
        let mut ours: Vec<(String, String)> =
            ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut theirs = sign_by_library(&signable, &credentials, UNIX_EPOCH);
        ours.sort();
        theirs.sort();
        prop_assert_eq!(ours, theirs, "{}", target);
    }
}

#[test]
fn what_no_header_can_hold_is_not_signed() {
    let headers = [("x-amzn-bedrock-trace", "a\r\nx-evil: 1")];
    let signable = Signable {
        method: "POST",
        host: "h",
        target: "/",
        headers: &headers,
        body_hash: "",
        region: "us-east-1",
        service: "bedrock",
    };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let error = sign(&signable, &credentials, UNIX_EPOCH).unwrap_err();
    assert!(
        error.contains("x-amzn-bedrock-trace") && !error.contains("evil"),
        "{error}"
    );
}

#[test]
fn the_host_is_signed_as_it_is_sent() {
    let signed_for = |host| {
        let signable = Signable {
            method: "POST",
            host,
            target: "/",
            headers: &[],
            body_hash: "",
            region: "us-east-1",
            service: "bedrock",
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        sign(&signable, &credentials, UNIX_EPOCH).unwrap()
    };
    assert_ne!(signed_for("h:443"), signed_for("h"));
}
