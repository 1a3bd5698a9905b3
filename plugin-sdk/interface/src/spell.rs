//! Types and functions as they are written in WIT, on one line.

use wit_parser::{Function, Resolve, Type, TypeDef, TypeDefKind};

/// `name: func(a: u32) -> string`.
pub(crate) fn function(resolve: &Resolve, function: &Function) -> String {
    let params = function.params.iter().map(|it| format!("{}: {}", it.name, ty(resolve, &it.ty)));
    let params: Vec<_> = params.collect();
    let result = function.result.map(|it| format!(" -> {}", ty(resolve, &it))).unwrap_or_default();
    format!("{}: func({}){result}", function.name, params.join(", "))
}

/// `record pair { key: string, value: string }`; nothing for a name that another interface defines.
pub(crate) fn definition(resolve: &Resolve, name: &str, def: &TypeDef) -> Option<String> {
    let case = |name: &str, of: Option<Type>| match of {
        Some(of) => format!("{name}({})", ty(resolve, &of)),
        None => name.to_owned(),
    };
    let list = |items: Vec<String>| items.join(", ");
    Some(match &def.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|it| format!("{}: {}", it.name, ty(resolve, &it.ty)));
            format!("record {name} {{ {} }}", list(fields.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|it| case(&it.name, it.ty));
            format!("variant {name} {{ {} }}", list(cases.collect()))
        }
        TypeDefKind::Enum(of) => {
            let cases = of.cases.iter().map(|it| it.name.clone());
            format!("enum {name} {{ {} }}", list(cases.collect()))
        }
        TypeDefKind::Flags(flags) => {
            let flags = flags.flags.iter().map(|it| it.name.clone());
            format!("flags {name} {{ {} }}", list(flags.collect()))
        }
        TypeDefKind::Resource => format!("resource {name}"),
        TypeDefKind::Type(Type::Id(_)) => return None,
        other => format!("type {name} = {}", kind(resolve, other)),
    })
}

fn ty(resolve: &Resolve, it: &Type) -> String {
    let plain = match it {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let def = &resolve.types[*id];
            return def.name.clone().unwrap_or_else(|| kind(resolve, &def.kind));
        }
    };
    plain.to_owned()
}

fn kind(resolve: &Resolve, of: &TypeDefKind) -> String {
    match of {
        TypeDefKind::Option(of) => format!("option<{}>", ty(resolve, of)),
        TypeDefKind::List(of) => format!("list<{}>", ty(resolve, of)),
        TypeDefKind::Tuple(of) => {
            let parts: Vec<_> = of.types.iter().map(|part| ty(resolve, part)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Result(of) => match (&of.ok, &of.err) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", ty(resolve, ok)),
            (None, Some(err)) => format!("result<_, {}>", ty(resolve, err)),
            (Some(ok), Some(err)) => format!("result<{}, {}>", ty(resolve, ok), ty(resolve, err)),
        },
        TypeDefKind::Type(of) => ty(resolve, of),
        // Not used between host and plugins; whoever does is told by the check of promises.
        other => other.as_str().to_owned(),
    }
}
