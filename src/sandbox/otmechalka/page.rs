//! A page on which a person sees clients and tickets with their groups, and doubles in red (sheet 7).

use std::fmt::Write as _;

use html_escape::encode_text;

use super::Handle;

/// The page.
pub fn of(handle: &Handle) -> String {
    let (clients, tickets) = (handle.clients(), handle.tickets());
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"ru\"><head><meta charset=\"utf-8\"><title>otmechalka (simulated)</title><style>body{font:14px sans-serif}\
         td,th{border:1px solid #ccc;padding:3px 6px;text-align:left;vertical-align:top}table{border-collapse:collapse}.double{background:#fcc}</style>\
         </head><body>",
    );
    let table = |page: &mut String, title: &str, heads: &[&str]| {
        let heads: String = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
        let _ = write!(page, "<h1>{title}</h1><table><tr>{heads}</tr>");
    };
    let row = |page: &mut String, double: bool, cells: &[&str]| {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", encode_text(cell))).collect();
        let _ = write!(page, "<tr{}>{cells}</tr>", if double { " class=\"double\"" } else { "" });
    };
    table(&mut page, &format!("Клиенты: {}", clients.len()), &["id", "origin_id", "Фамилия", "Имя", "Телефон", "Группы", "Архив"]);
    for client in &clients {
        let double = clients.iter().filter(|other| other.origin_id == client.origin_id).count() > 1;
        let archived = if client.archived { "да" } else { "" };
        let cells = [
            &client.id.to_string(),
            &client.origin_id,
            &client.last_name,
            &client.first_name,
            &client.phone,
            &client.groups.join("; "),
            archived,
        ];
        row(&mut page, double, &cells);
    }
    page.push_str("</table>");
    table(&mut page, &format!("Абонементы: {}", tickets.len()), &["id", "origin_id", "Клиент", "Тип", "Цена", "Продан", "Кем", "Группы"]);
    for ticket in &tickets {
        let double = tickets.iter().filter(|other| other.origin_id == ticket.origin_id).count() > 1;
        let price = format!("{} - {} = {}", ticket.price_initial, ticket.discount, ticket.price_final);
        let id = ticket.id.to_string();
        let cells = [
            &id,
            &ticket.origin_id,
            &ticket.client_origin_id,
            &ticket.ticket_type,
            &price,
            &ticket.selling_date,
            &ticket.employee,
            &ticket.groups.join("; "),
        ];
        row(&mut page, double, &cells.map(String::as_str));
    }
    page.push_str("</table></body></html>\n");
    page
}
