//! "My Custom Apps": somebody else's page, opened by its address inside OneBox's own (sheet 5.7).

use html_escape::encode_double_quoted_attribute;

/// The page of OneBox that shows the other one.
pub fn page(address: &str) -> String {
    let address = encode_double_quoted_attribute(address);
    format!(
        "<!DOCTYPE html>\n<html lang=\"uk\"><head><meta charset=\"utf-8\"><title>OneBox (simulated)</title></head>\
         <body style=\"margin:0\"><p>Мої застосунки</p><iframe id=\"app\" src=\"{address}\" style=\"width:100%;height:2200px;border:0\"></iframe></body></html>\n"
    )
}
