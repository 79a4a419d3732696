//! `#[derive(Command)]` and `#[derive(Response)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitInt, Type};

#[derive(Default)]
struct Settings {
    code: Option<LitInt>,
    response: Option<Type>,
    nv: bool,
    extensive: bool,
    flushed: bool,
    no_sessions: bool,
}

fn settings(attributes: &[Attribute]) -> Result<Settings, Error> {
    let mut s = Settings::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("command")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("code") {
                s.code = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("response") {
                s.response = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("nv") {
                s.nv = true;
            } else if meta.path.is_ident("extensive") {
                s.extensive = true;
            } else if meta.path.is_ident("flushed") {
                s.flushed = true;
            } else if meta.path.is_ident("no_sessions") {
                s.no_sessions = true;
            } else {
                return Err(meta.error("expected code, response, nv, extensive, flushed or no_sessions"));
            }
            Ok(())
        })?;
    }
    Ok(s)
}

/// The role of a handle field; `None` if the field is a parameter.
fn role(field: &Field) -> Result<Option<Ident>, Error> {
    let Some(attribute) = field.attrs.iter().find(|a| a.path().is_ident("handle")) else { return Ok(None) };
    let mut role = format_ident!("None");
    if matches!(attribute.meta, syn::Meta::List(_)) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("auth") {
                return Err(meta.error("expected auth = user, admin or dup"));
            }
            let name: Ident = meta.value()?.parse()?;
            role = match name.to_string().as_str() {
                "user" => format_ident!("User"),
                "admin" => format_ident!("Admin"),
                "dup" => format_ident!("Dup"),
                _ => return Err(Error::new_spanned(name, "expected user, admin or dup")),
            };
            Ok(())
        })?;
    }
    Ok(Some(role))
}

fn fields(input: &DeriveInput) -> Result<&Fields, Error> {
    match &input.data {
        Data::Struct(s) => Ok(&s.fields),
        _ => Err(Error::new_spanned(&input.ident, "only a struct can be a command or a response")),
    }
}

pub(crate) fn derive_command(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = &input.ident;
    let text = name.to_string();
    let s = settings(&input.attrs)?;
    let code = s.code.ok_or_else(|| Error::new_spanned(name, "needs #[command(code = 0x..)]"))?;
    let response = s.response.map_or_else(|| quote!(()), |t| quote!(#t));
    let (nv, extensive, flushed, sessions) = (s.nv, s.extensive, s.flushed, !s.no_sessions);
    let (mut roles, mut handles, mut handle_types) = (Vec::new(), Vec::new(), Vec::new());
    let (mut parameters, mut parameter_types) = (Vec::new(), Vec::new());
    for field in fields(input)? {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "fields need names"))?;
        match role(field)? {
            Some(_) if !parameters.is_empty() => return Err(Error::new_spanned(field, "handles come first")),
            Some(role) => {
                roles.push(role);
                handles.push(ident);
                handle_types.push(&field.ty);
            }
            None => {
                parameters.push(ident);
                parameter_types.push(&field.ty);
            }
        }
    }
    let handle_numbers = 1u8..;
    let handle_numbers: Vec<u8> = handle_numbers.take(handles.len()).collect();
    let parameter_numbers: Vec<u8> = (1u8..).take(parameters.len()).collect();
    let decrypt =
        parameter_types.first().map_or_else(|| quote!(false), |t| quote!(<#t as ::sealwright_core::Wire>::SIZED));
    Ok(quote! {
        #[automatically_derived]
        impl ::sealwright_core::Command for #name {
            type Response = #response;
            const SPEC: ::sealwright_core::CommandSpec = ::sealwright_core::CommandSpec::new(
                #code,
                #text,
                [#nv, #extensive, #flushed, #sessions],
                &[#(::sealwright_core::Role::#roles),*],
                #decrypt,
                <#response as ::sealwright_core::Response>::FIRST_SIZED,
                <#response as ::sealwright_core::Response>::HANDLE,
                0 #(+ <#handle_types as ::sealwright_core::Wire>::MAX_SIZE)*
                  #(+ <#parameter_types as ::sealwright_core::Wire>::MAX_SIZE)*,
                <#response as ::sealwright_core::Response>::MAX_SIZE,
            );
            fn check_handles(
                r: &mut ::sealwright_core::Reader<'_>,
            ) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                let _ = &r;
                #(<#handle_types as ::sealwright_core::Wire>::read(r).map_err(|e| e.at_handle(#handle_numbers))?;)*
                ::core::result::Result::Ok(())
            }
            fn parse(
                handles: &mut ::sealwright_core::Reader<'_>,
                parameters: &mut ::sealwright_core::Reader<'_>,
            ) -> ::core::result::Result<Self, ::sealwright_core::Fault> {
                let _ = (&handles, &parameters);
                ::core::result::Result::Ok(Self {
                    #(#handles: <#handle_types as ::sealwright_core::Wire>::read(handles)
                        .map_err(|e| e.at_handle(#handle_numbers))?,)*
                    #(#parameters: <#parameter_types as ::sealwright_core::Wire>::read(parameters)
                        .map_err(|e| e.at_parameter(#parameter_numbers))?,)*
                })
            }
        }
    })
}

pub(crate) fn derive_response(input: &DeriveInput) -> Result<TokenStream, Error> {
    let name = &input.ident;
    let mut handle = None;
    let (mut parameters, mut types) = (Vec::new(), Vec::new());
    for field in fields(input)? {
        let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "fields need names"))?;
        if role(field)?.is_some() {
            handle = Some(ident);
        } else {
            parameters.push(ident);
            types.push(&field.ty);
        }
    }
    let has_handle = handle.is_some();
    let handle_value = handle.map_or_else(|| quote!(None), |h| quote!(Some(self.#h.into())));
    let sized = types.first().map_or_else(|| quote!(false), |t| quote!(<#t as ::sealwright_core::Wire>::SIZED));
    Ok(quote! {
        #[automatically_derived]
        impl ::sealwright_core::Response for #name {
            const HANDLE: bool = #has_handle;
            const FIRST_SIZED: bool = #sized;
            const MAX_SIZE: usize = (if #has_handle { 4 } else { 0 }) #(+ <#types as ::sealwright_core::Wire>::MAX_SIZE)*;
            fn handle(&self) -> ::core::option::Option<u32> {
                #handle_value
            }
            fn write_parameters(
                &self,
                w: &mut ::sealwright_core::Writer<'_>,
            ) -> ::core::result::Result<(), ::sealwright_core::Fault> {
                let _ = &w;
                #(::sealwright_core::Wire::write(&self.#parameters, w)?;)*
                ::core::result::Result::Ok(())
            }
        }
    })
}
