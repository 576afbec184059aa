<?php

use Tradesync\Door;
use Tradesync\Input;
use Tradesync\Panel;
use Tradesync\Problem;
use Tradesync\Seller;
use Tradesync\Settings;
use Tradesync\Visitor;
use Tradesync\Words;

/**
 * The seller's panel in the admin area, for sellers who are admin users: a page of its own, a bar above the product list, a menu entry.
 *
 * The right is `extension/tradesync`; saving the settings gives it to the sellers' group. Who the seller is, the session says.
 */
class ControllerExtensionTradesync extends Controller
{
    private const ROUTE = 'extension/tradesync';

    /** The seller's page. */
    public function index()
    {
        $texts = $this->texts();
        $this->document->setTitle($texts['panel_page']);
        $data = [
            'title' => $texts['panel_page'],
            'breadcrumbs' => [
                ['text' => $texts['home'], 'href' => $this->url('common/dashboard')],
                ['text' => $texts['panel_page'], 'href' => $this->url(self::ROUTE)],
            ],
            'tabs' => [],
            'error' => $this->seller() === null ? $texts['problem_no_seller'] : '',
            'content' => $this->seller() === null ? '' : $this->widget(),
            'header' => $this->load->controller('common/header'),
            'column_left' => $this->load->controller('common/column_left'),
            'footer' => $this->load->controller('common/footer'),
        ];
        $this->response->setOutput($this->load->view('extension/module/tradesync', $data));
    }

    /** One action of the panel: POST, JSON. */
    public function api()
    {
        $settings = Settings::of($this->registry);
        Door::answer($this->response, $settings->language(), function () use ($settings) {
            $action = (string)($this->request->get['do'] ?? '');
            $panel = $this->panel($settings, Panel::ACTIONS[$action] ?? true);
            if (($this->request->server['REQUEST_METHOD'] ?? '') !== 'POST') {
                throw new Problem(Problem::FORBIDDEN_HERE, 'POST');
            }

            return $panel->act($action, Input::read((string)file_get_contents('php://input')));
        });
    }

    /** A run's report as a file. */
    public function csv()
    {
        $settings = Settings::of($this->registry);
        Door::csv($this->response, $settings->language(), function () use ($settings) {
            return $this->panel($settings, false);
        }, $this->request->get);
    }

    /** Event admin/view/common/column_left/before: entries of the menu. */
    public function menu(&$route, &$data)
    {
        $texts = $this->texts();
        $children = [];
        if ($this->user->hasPermission('access', 'extension/module/tradesync')) {
            foreach (['overview', 'sellers', 'mapping', 'links', 'locks', 'retry', 'rollout', 'audit', 'settings'] as $page) {
                $children[] = [
                    'name' => $texts['tab_' . $page],
                    'href' => $this->url('extension/module/tradesync', 'page=' . $page),
                    'children' => [],
                ];
            }
        }
        $isSeller = $this->user->hasPermission('access', self::ROUTE) && $this->seller() !== null;
        if ($children || $isSeller) {
            $data['menus'][] = [
                'id' => 'menu-tradesync',
                'icon' => 'fa-refresh',
                'name' => $texts[$children ? 'heading_title' : 'panel_page'],
                'href' => $children ? '' : $this->url(self::ROUTE),
                'children' => $children,
            ];
        }
    }

    /** Event admin/view/catalog/product_list/after: the bar above the seller's product list. */
    public function productList(&$route, &$data, &$output)
    {
        if (!$this->user->hasPermission('access', self::ROUTE) || $this->seller() === null) {
            return;
        }
        // Above the list, below the page's header; a theme that has neither gets it at the end of its content.
        $place = strpos($output, '<div class="container-fluid">', (int)strpos($output, 'class="breadcrumb"'));
        $bar = $this->widget();
        if ($place === false) {
            $output .= $bar;
        } else {
            $place += strlen('<div class="container-fluid">');
            $output = substr($output, 0, $place) . $bar . substr($output, $place);
        }
    }

    private function widget(): string
    {
        return Door::panel($this->assets(), [
            'api' => $this->url(self::ROUTE . '/api'),
            'csv' => $this->url(self::ROUTE . '/csv'),
            'modify' => $this->user->hasPermission('modify', self::ROUTE),
        ], Settings::of($this->registry));
    }

    private function panel(Settings $settings, bool $modify): Panel
    {
        $token = (string)($this->request->get['user_token'] ?? '');
        $ours = (string)($this->session->data['user_token'] ?? '');
        $allowed = $ours !== '' && hash_equals($ours, $token) && $this->user->hasPermission('access', self::ROUTE)
            && (!$modify || $this->user->hasPermission('modify', self::ROUTE));
        if (!$allowed) {
            throw new Problem(Problem::FORBIDDEN_HERE);
        }
        $seller = $this->seller();
        if ($seller === null) {
            throw new Problem(Problem::NO_SELLER);
        }

        return new Panel($settings->onBehalfOf($seller));
    }

    private function seller(): ?Seller
    {
        return Settings::of($this->registry)->sellers()->current(Visitor::of($this->registry));
    }

    /** Not through OpenCart's language: what is loaded there would replace texts of the page that the bar or the menu stands in. */
    private function texts(): array
    {
        return Words::all(Settings::of($this->registry)->language());
    }

    private function assets(): string
    {
        return $this->request->server['HTTPS'] ? HTTPS_CATALOG : HTTP_CATALOG;
    }

    private function url(string $route, string $query = ''): string
    {
        $token = 'user_token=' . ($this->session->data['user_token'] ?? '');

        // Url::link() escapes for HTML; scripts need the address itself.
        return html_entity_decode($this->url->link($route, $token . ($query === '' ? '' : '&' . $query), true), ENT_QUOTES, 'UTF-8');
    }
}
