//! The general filters over texts, lists and numbers: every one leaves an empty value empty.

use super::filters::Failure;
use super::text::{ABSURD_BYTES, number_text, truthy_text};
use super::tree;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, State, Value};
use std::sync::Arc;

/// Whether a value is null or something that was not there in a list.
pub fn is_null(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

/// A scalar's text; lists and objects have none.
pub fn scalar_text(value: &Value) -> Result<Arc<str>, Error> {
    match value.kind() {
        ValueKind::String => value.to_str().ok_or_else(|| Failure::BadValue("it is no readable text").into()),
        ValueKind::Bool => Ok(truthy_text(value.is_true()).into()),
        ValueKind::Number => match value.as_i64() {
            Some(_) if value.is_integer() => Ok(value.to_string().into()),
            _ => Ok(number_text(&value.to_string()).into()),
        },
        ValueKind::None | ValueKind::Undefined => Ok("".into()),
        _ => Err(Failure::BadValue("a list or an object has no text").into()),
    }
}

/// A filter over a text that leaves empty values empty.
pub fn text_filter(change: fn(&str) -> Value) -> impl Fn(&Value) -> Result<Value, Error> {
    move |value: &Value| {
        if is_null(value) {
            return Ok(Value::from(()));
        }
        Ok(change(&scalar_text(value)?))
    }
}

/// An operand of `~`: empty joins as nothing, everything else as [`scalar_text`] or unchanged.
pub fn to_text(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            Err(Failure::BadValue("a list or an object cannot be joined with ~").into())
        }
        ValueKind::String => Ok(value.clone()),
        _ => Ok(Value::from(scalar_text(value)?)),
    }
}

/// The first letter large, the others small.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars.as_str().to_lowercase().chars()).collect()
    })
}

/// The first so many characters.
pub fn cut(value: &Value, length: usize) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    Ok(scalar_text(value)?.chars().take(length).collect::<String>().into())
}

/// Every `from` by `to`.
pub fn replace(value: &Value, from: &str, to: &str) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let text = scalar_text(value)?;
    // Each occurrence may grow by `to`, unseen by the fuel until it is done.
    if text.len().saturating_mul(to.len().max(1)) > ABSURD_BYTES * 4 {
        return Err(Failure::BadValue("the text is too long to replace in").into());
    }
    Ok(text.replace(from, to).into())
}

/// The parts between separators.
pub fn split(value: &Value, separator: &str) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let text = scalar_text(value)?;
    if separator.is_empty() {
        return Err(Failure::BadValue("split needs a separator").into());
    }
    Ok(text.split(separator).map(Value::from).collect::<Vec<_>>().into())
}

/// Joins what is not empty: `[FirstName, LastName] | join(' ')` has no blank too many.
pub fn join(value: &Value, separator: Option<&str>) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let mut texts = Vec::new();
    for item in value.try_iter()? {
        let text = scalar_text(&item)?;
        if !text.trim().is_empty() {
            texts.push(text);
        }
    }
    Ok(texts.join(separator.unwrap_or("")).into())
}

/// The first or last item of a list or character of a text; empty where there is none.
pub fn element(value: &Value, last: bool) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    if let Some(text) = value.as_str() {
        let found = if last { text.chars().next_back() } else { text.chars().next() };
        return Ok(found.map_or(Value::from(()), Value::from));
    }
    let mut items = value.try_iter()?;
    let found = if last { items.last() } else { items.next() };
    Ok(found.unwrap_or_else(|| Value::from(())))
}

/// `list | map(attribute='number')`. Not minijinja's own: that one hands on what an object lacks.
pub fn map(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    let attribute: &str = kwargs.get("attribute")?;
    kwargs.assert_all_used()?;
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let items = value.try_iter()?.map(|item| tree::attribute(&item, attribute));
    Ok(items.collect::<Result<Vec<_>, _>>()?.into())
}

/// `list | selectattr('type', 'eq', 'home')`, or without a test: those whose attribute is true.
pub fn selectattr(
    state: &mut State<'_, '_>,
    value: &Value,
    attribute: &str,
    test: Option<&str>,
    other: Rest<Value>,
) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let mut found = Vec::new();
    for item in value.try_iter()? {
        let mut arguments = vec![tree::attribute(&item, attribute)?];
        let selected = match test {
            None => arguments[0].is_true(),
            Some(test) => {
                arguments.extend(other.iter().cloned());
                state.perform_test(test, &arguments)?
            }
        };
        if selected {
            found.push(item);
        }
    }
    Ok(found.into())
}

/// Characters of a text, items of a list.
pub fn length(value: &Value) -> Result<usize, Error> {
    if is_null(value) {
        return Ok(0);
    }
    value.len().ok_or_else(|| Failure::BadValue("only texts and lists have a length").into())
}

/// The replacement for an empty value (null or a text of blanks); a missing name stays an error.
pub fn default(value: &Value, other: Value) -> Value {
    let empty = is_null(value) || value.as_str().is_some_and(|text| text.trim().is_empty());
    if empty { other } else { value.clone() }
}

fn as_float(value: &Value) -> Result<f64, Error> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    number
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| Failure::BadValue("it is no number").into())
}

/// A whole number; fractions lose what stands behind the point.
pub fn int(value: &Value) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    let whole = match value.as_str() {
        Some(text) => text.trim().parse::<i64>().ok(),
        None => value.as_i64(),
    };
    match whole {
        Some(number) => Ok(Value::from(number)),
        None => whole_number(as_float(value)?.trunc()),
    }
}

fn whole_number(number: f64) -> Result<Value, Error> {
    // 2^53: beyond it a float no longer names one whole number.
    if number.abs() > 9_007_199_254_740_992.0 {
        return Err(Failure::BadValue("the number is too large").into());
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, checked above")]
    let whole = number as i64;
    Ok(Value::from(whole))
}

/// A fraction.
pub fn float(value: &Value) -> Result<Value, Error> {
    if is_null(value) {
        return Ok(Value::from(()));
    }
    as_float(value).map(Value::from)
}

/// To so many places (default 0, then a whole number), halves away from zero.
pub fn round(value: &Value, places: Option<u32>) -> Result<Value, Error> {
    if is_null(value) || value.is_integer() {
        return Ok(if is_null(value) { Value::from(()) } else { value.clone() });
    }
    match places.unwrap_or(0).min(12) {
        0 => whole_number(as_float(value)?.round()),
        places => {
            let scale = 10f64.powi(i32::try_from(places).unwrap_or(12));
            Ok(Value::from((as_float(value)? * scale).round() / scale))
        }
    }
}

/// Without its sign.
pub fn abs(value: &Value) -> Result<Value, Error> {
    match value.as_i64().and_then(i64::checked_abs) {
        _ if is_null(value) => Ok(Value::from(())),
        Some(number) if value.is_integer() => Ok(Value::from(number)),
        _ => as_float(value).map(|number| Value::from(number.abs())),
    }
}
