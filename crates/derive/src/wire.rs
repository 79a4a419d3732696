//! `#[derive(Wire)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DataEnum, DeriveInput, Error, Expr, Fields, Ident, LitStr, Type};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream, Error> {
    match &input.data {
        Data::Struct(s) => structure(&input.ident, &s.fields),
        Data::Enum(e) => enumeration(input, e),
        Data::Union(_) => Err(Error::new_spanned(&input.ident, "Wire cannot be derived on a union")),
    }
}

fn structure(name: &Ident, fields: &Fields) -> Result<TokenStream, Error> {
    let types: Vec<&Type> = fields.iter().map(|f| &f.ty).collect();
    let members: Vec<_> = fields.members().collect();
    Ok(quote! {
        #[automatically_derived]
        impl ::sealwright_core::Wire for #name {
            const MAX_SIZE: usize = 0 #(+ <#types as ::sealwright_core::Wire>::MAX_SIZE)*;
            fn read(r: &mut ::sealwright_core::Reader<'_>) -> ::core::result::Result<Self, ::sealwright_core::Fault> {
                ::core::result::Result::Ok(Self { #(#members: <#types as ::sealwright_core::Wire>::read(r)?),* })
            }
            fn write(&self, w: &mut ::sealwright_core::Writer<'_>) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                #(::sealwright_core::Wire::write(&self.#members, w)?;)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

/// The settings of `#[wire(...)]` on an enum.
#[derive(Default)]
struct Settings {
    repr: Option<Ident>,
    tag: Option<Ident>,
    refuse: Option<Ident>,
    algorithm: bool,
}

fn enumeration(input: &DeriveInput, data: &DataEnum) -> Result<TokenStream, Error> {
    let name = &input.ident;
    let mut settings = Settings::default();
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("wire")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("repr") {
                settings.repr = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("tag") {
                settings.tag = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("algorithm") {
                settings.algorithm = true;
            } else if meta.path.is_ident("refuse") {
                let text: LitStr = meta.value()?.parse()?;
                settings.refuse = Some(format_ident!("{}", text.value()));
            } else {
                return Err(meta.error("expected repr, tag, refuse or algorithm"));
            }
            Ok(())
        })?;
    }
    let refuse = settings.refuse.unwrap_or_else(|| format_ident!("VALUE"));
    match (settings.repr, settings.tag) {
        (Some(repr), None) => constants(name, data, &repr, &refuse, settings.algorithm),
        (None, Some(tag)) => tagged(name, data, &tag, &refuse, settings.algorithm),
        _ => Err(Error::new_spanned(name, "an enum needs #[wire(repr = ..)] or #[wire(tag = ..)]")),
    }
}

/// Refuses what the reader does not accept, where the numbers are those of algorithms.
fn judge(number: &TokenStream, refuse: &Ident, algorithm: bool) -> TokenStream {
    if !algorithm {
        return TokenStream::new();
    }
    quote! {
        if !r.accepts(#number) {
            return ::core::result::Result::Err(::sealwright_core::Fault::#refuse);
        }
    }
}

fn constants(
    name: &Ident,
    data: &DataEnum,
    repr: &Ident,
    refuse: &Ident,
    algorithm: bool,
) -> Result<TokenStream, Error> {
    let judge = judge(&quote!(value), refuse, algorithm);
    let variants: Vec<_> = data.variants.iter().map(|v| &v.ident).collect();
    let values = data
        .variants
        .iter()
        .map(|v| {
            v.discriminant.as_ref().map(|(_, e)| e).ok_or_else(|| Error::new_spanned(v, "needs a value: `= 0x..`"))
        })
        .collect::<Result<Vec<&Expr>, Error>>()?;
    Ok(quote! {
        impl #name {
            /// The value with this number, if it is one of these.
            #[allow(dead_code, reason = "generated for each enum")]
            pub const fn from_value(value: #repr) -> Option<Self> {
                match value { #(#values => Some(Self::#variants),)* _ => None }
            }
            /// The number on the wire.
            #[allow(dead_code, reason = "generated for each enum")]
            pub const fn value(self) -> #repr {
                match self { #(Self::#variants => #values,)* }
            }
        }
        #[automatically_derived]
        impl ::sealwright_core::Wire for #name {
            const MAX_SIZE: usize = <#repr as ::sealwright_core::Wire>::MAX_SIZE;
            fn read(r: &mut ::sealwright_core::Reader<'_>) -> ::core::result::Result<Self, ::sealwright_core::Fault> {
                let value = <#repr as ::sealwright_core::Wire>::read(r)?;
                #judge
                Self::from_value(value).ok_or(::sealwright_core::Fault::#refuse)
            }
            fn write(&self, w: &mut ::sealwright_core::Writer<'_>) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                ::sealwright_core::Wire::write(&self.value(), w)
            }
        }
    })
}

fn tagged(name: &Ident, data: &DataEnum, tag: &Ident, refuse: &Ident, algorithm: bool) -> Result<TokenStream, Error> {
    let judge = judge(&quote!(tag), refuse, algorithm);
    let mut sizes = Vec::new();
    let (mut reads, mut writes, mut tags) = (Vec::new(), Vec::new(), Vec::new());
    for variant in &data.variants {
        let mut value: Option<Expr> = None;
        for attribute in variant.attrs.iter().filter(|a| a.path().is_ident("wire")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("value") {
                    value = Some(meta.value()?.parse()?);
                    Ok(())
                } else {
                    Err(meta.error("expected value"))
                }
            })?;
        }
        let value = value.ok_or_else(|| Error::new_spanned(variant, "needs #[wire(value = ..)]"))?;
        let ident = &variant.ident;
        let types: Vec<&Type> = variant.fields.iter().map(|f| &f.ty).collect();
        let members: Vec<_> = variant.fields.members().collect();
        let bindings: Vec<_> = (0..types.len()).map(|i| format_ident!("f{i}")).collect();
        sizes.push(quote! { (0 #(+ <#types as ::sealwright_core::Wire>::MAX_SIZE)*) });
        reads.push(quote! {
            #value => Self::#ident { #(#members: <#types as ::sealwright_core::Wire>::read(r)?),* }
        });
        tags.push(quote! { Self::#ident { .. } => #value });
        writes.push(quote! {
            Self::#ident { #(#members: #bindings),* } => { #(::sealwright_core::Wire::write(#bindings, w)?;)* }
        });
    }
    Ok(quote! {
        impl #name {
            /// The selector on the wire.
            #[allow(dead_code, reason = "generated for each union")]
            pub const fn tag(&self) -> #tag {
                match self { #(#tags,)* }
            }
            /// Reads the body that `tag` selects.
            #[allow(dead_code, reason = "generated for each union")]
            pub fn read_body(
                tag: #tag,
                r: &mut ::sealwright_core::Reader<'_>,
            ) -> ::core::result::Result<Self, ::sealwright_core::Fault> {
                let _ = &r;
                #judge
                ::core::result::Result::Ok(match tag {
                    #(#reads,)*
                    _ => return ::core::result::Result::Err(::sealwright_core::Fault::#refuse),
                })
            }
            /// Writes the body without its selector.
            #[allow(dead_code, reason = "generated for each union")]
            pub fn write_body(
                &self,
                w: &mut ::sealwright_core::Writer<'_>,
            ) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                let _ = &w;
                match self { #(#writes)* }
                ::core::result::Result::Ok(())
            }
        }
        #[automatically_derived]
        impl ::sealwright_core::Wire for #name {
            const MAX_SIZE: usize = {
                let mut most = 0;
                #(most = ::sealwright_core::wire::max(most, #sizes);)*
                most + <#tag as ::sealwright_core::Wire>::MAX_SIZE
            };
            fn read(r: &mut ::sealwright_core::Reader<'_>) -> ::core::result::Result<Self, ::sealwright_core::Fault> {
                let tag = <#tag as ::sealwright_core::Wire>::read(r)?;
                Self::read_body(tag, r)
            }
            fn write(&self, w: &mut ::sealwright_core::Writer<'_>) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                ::sealwright_core::Wire::write(&self.tag(), w)?;
                self.write_body(w)
            }
        }
    })
}
